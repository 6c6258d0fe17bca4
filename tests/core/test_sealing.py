"""What is sealed, and the keys that seal: formats that stay, places that bind, a missing key that nobody replaces."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from hypothesis import given
from hypothesis import strategies as st

import manage
from core import crypto, master_keys
from core.conf import Secrets
from core.crypto import SealBroken, place, rewrapped, seal, seal_under, unseal, unseal_under, versions_in
from core.master_keys import Sealed

NINTH = bytes(range(32))
KNOWN = {
    # Sealed once, with the key 00 01 … 1f as version 9 and as a tenant's data key: what is stored must open for ever.
    "v2": "v2.9.gcdJmgmXFh4sN8dDGmh9UT9_yUlTSYL_LaTLyzAPn76S00gaP6WF9cNFrv7rHDSbq7tT"
    "zVDlSQBEUMwe.R6-AUr6ipTgOKI0YQhn24chZQlUCx6vtPgtNlCQtnKxw33nmq2pycrKXyw==",
    "t1": "t1.85UmA82xNK88PsEVvkFncjW6mC4OcoY2xMPhFHx_2eVtIXQ0PTFf8sjE2A==",
}


@pytest.fixture
def ninth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_MASTER_KEY_V9", base64.b64encode(NINTH).decode())
    monkeypatch.setenv("LUMOS_MASTER_KEY_CURRENT", "9")


@pytest.fixture
def tenth(ninth: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_MASTER_KEY_V10", base64.b64encode(os.urandom(32)).decode())


@pytest.fixture(autouse=True)
def _expect_nothing() -> None:
    master_keys.expect({})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """A secrets file of the test's own."""
    own = Secrets(tmp_path / "secrets.json")
    monkeypatch.setattr(master_keys, "secrets", lambda: own)
    return own


def test_the_cipher_is_aes_256_gcm_with_associated_data() -> None:
    """Test case 16 of McGrew and Viega, The Galois/Counter Mode of Operation (GCM), 2004."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b39"
    )
    sealed = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    additional = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    assert AESGCM(key).decrypt(nonce, sealed, additional) == plain


def test_what_was_sealed_years_ago_opens(ninth: None) -> None:
    assert unseal(KNOWN["v2"], context=place("proxy_providerkey", "1", "sealed")) == "sk-known-answer"
    assert unseal_under(NINTH, KNOWN["t1"], context=place("a", "1", "b", "t")) == "sk-known-answer"


def test_the_first_format_opens_with_the_first_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_MASTER_KEY_V1", base64.b64encode(NINTH).decode())
    inner = os.urandom(32)
    parts = (crypto._encrypt(NINTH, inner, "old"), crypto._encrypt(inner, b"sk-old", "old"))
    sealed = ".".join(["v1", *(base64.urlsafe_b64encode(part).decode() for part in parts)])
    assert unseal(sealed, context="old") == "sk-old"
    with pytest.raises(SealBroken):
        unseal(sealed, context="new")


@given(st.text(max_size=300))
def test_every_text_comes_back(text: str) -> None:
    assert unseal(seal(text, context="x"), context="x") == text
    assert unseal_under(NINTH, seal_under(NINTH, text, context="x"), context="x") == text


@pytest.mark.parametrize(
    "elsewhere",
    [place("b", "1", "f", "t"), place("a", "2", "f", "t"), place("a", "1", "g", "t"), place("a", "1", "f", "u")],
)
def test_a_value_that_was_moved_does_not_open(elsewhere: str, ninth: None) -> None:
    here = place("a", "1", "f", "t")
    for moved in (
        lambda: unseal(seal("x", context=here), context=elsewhere),
        lambda: unseal_under(NINTH, seal_under(NINTH, "x", context=here), context=elsewhere),
    ):
        with pytest.raises(SealBroken):
            moved()


def test_neither_another_version_nor_another_format_nor_another_key_opens_it(tenth: None) -> None:
    sealed, own = seal("x", context="c"), seal_under(NINTH, "x", context="c")
    assert sealed.startswith("v2.9.")
    for broken in (sealed.replace("v2.9.", "v2.10."), sealed.replace("v2.", "v3.", 1), own, "", "v2.x.y.z", "v2.9"):
        with pytest.raises(SealBroken):
            unseal(broken, context="c")
    for key, value in ((bytes(32), own), (NINTH, sealed), (NINTH, own[:-4] + "AAAA")):
        with pytest.raises(SealBroken):
            unseal_under(key, value, context="c")


def test_wrapping_anew_needs_no_context_and_leaves_what_only_looks_like_an_envelope(tenth: None) -> None:
    sealed = seal("sk-secret", context="c")
    lookalike = f"v2.9.{'A' * 80}.x and v2.77.{'B' * 80}.y"
    text = json.dumps({"secret": sealed, "note": lookalike})
    assert versions_in(text) == [9]
    changed = rewrapped(text, 10)
    assert versions_in(changed) == [10]
    made = json.loads(changed)
    assert made["note"] == lookalike
    assert made["secret"].rpartition(".")[2] == sealed.rpartition(".")[2]
    assert unseal(made["secret"], context="c") == "sk-secret"
    assert rewrapped(changed, 10) == changed


def test_a_missing_key_seals_and_is_never_made(file: Secrets) -> None:
    assert master_keys.is_sealed()
    for use in (lambda: seal("x", context="c"), lambda: crypto.new_data_key(context="c")):
        with pytest.raises(Sealed) as caught:
            use()
        assert (caught.value.code, caught.value.status) == ("sealed", 503)
        assert caught.value.next_step
    assert file.find("master_key_v1") is None
    master_keys.make(1)
    assert not master_keys.is_sealed()
    assert unseal(seal("x", context="c"), context="c") == "x"


def test_another_key_than_the_expected_one_seals_too(file: Secrets) -> None:
    key = master_keys.make(1)
    assert master_keys.make(1) == key
    master_keys.expect({1: master_keys.fingerprint(key)})
    sealed = seal("x", context="c")
    file.put({"master_key_v1": base64.b64encode(os.urandom(32)).decode()})
    assert master_keys.is_sealed()
    with pytest.raises(Sealed, match="not the one"):
        unseal(sealed, context="c")
    file.put({"master_key_v1": base64.b64encode(key).decode()})
    assert unseal(sealed, context="c") == "x"


def test_a_version_that_is_expected_beside_the_current_one_is_needed_too(file: Secrets) -> None:
    master_keys.make(1)
    master_keys.expect({2: "0" * 32})
    assert master_keys.lacking() == {2}
    assert master_keys.is_sealed()


@pytest.mark.parametrize("text", ["short", base64.b64encode(bytes(31)).decode(), "%%%", "é"])
def test_what_is_no_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LUMOS_MASTER_KEY_V3", text)
    with pytest.raises(Sealed) as caught:
        master_keys.master_key(3)
    assert text not in str(caught.value)


def test_the_newest_version_of_the_environment_is_the_current_one(
    file: Secrets, tenth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert master_keys.current_version() == 9
    monkeypatch.delenv("LUMOS_MASTER_KEY_CURRENT")
    assert master_keys.current_version() == 10
    assert master_keys.is_from_environment(10)
    master_keys.choose(4)
    assert master_keys.current_version() == 4


def test_another_process_sees_what_was_chosen_and_forgotten(file: Secrets, tmp_path: Path) -> None:
    other = Secrets(tmp_path / "secrets.json")
    for version in (1, 2):
        master_keys.make(version)
        master_keys.choose(version)
        assert other.find("master_key_current") == str(version)
    master_keys.forget(1)
    assert other.find("master_key_v1") is None
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_file_that_vanishes_takes_nothing_from_a_process_that_has_read_it(file: Secrets, tmp_path: Path) -> None:
    master_keys.make(1)
    (tmp_path / "secrets.json").unlink()
    assert not master_keys.is_sealed()


def test_neither_keys_nor_texts_are_in_what_a_log_or_a_traceback_shows(file: Secrets) -> None:
    key = master_keys.make(1)
    shown = base64.b64encode(key).decode()
    wrapped = crypto.new_data_key(context="c")
    texts = [repr(file), repr(wrapped), repr(crypto.KeyedHash(key)), repr(Sealed())]
    try:
        unseal(seal("sk-canary-secret", context="c"), context="d")
    except SealBroken as error:
        texts.append(repr(error) + str(error.__dict__))
    for secret in (shown, key.hex(), "sk-canary-secret", wrapped.sealed.hex()):
        assert not any(secret in text for text in texts)


def test_a_process_that_was_told_nothing_asks_once_and_before_it_takes_a_key(file: Secrets) -> None:
    asked = []

    def registered() -> dict[int, str]:
        asked.append(1)
        return {1: "0" * 32}

    master_keys.make(1)
    master_keys.expect_what(registered)
    assert not asked
    for _time in range(2):
        with pytest.raises(Sealed):
            seal("text", context="c")
    assert len(asked) == 1
    master_keys.expect_what(registered)
    master_keys.expect({})
    assert seal("text", context="c")
    assert len(asked) == 1


def test_who_could_not_be_told_asks_again_before_the_next_key(file: Secrets) -> None:
    answers = iter([None, {1: "0" * 32}])
    master_keys.make(1)
    master_keys.expect_what(lambda: next(answers))
    assert seal("text", context="c")  # the database is away: nobody knows better
    with pytest.raises(Sealed):
        seal("text", context="c")


def test_a_command_that_finds_no_database_asks_it_again_and_one_without_a_table_does_not(db: None) -> None:
    for error, told in ((OperationalError, None), (InterfaceError, None), (ProgrammingError, {})):

        def refuse(*_: object, error: type[Exception] = error, **__: object) -> None:
            raise error

        with connection.execute_wrapper(refuse):
            assert manage._registered_keys() == told
