"""Access tokens: what makes one valid, each way of forging one, and the keys that sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import AuditEntry
from core.conf import Secrets, secrets, secrets_path
from core.ids import new_ulid
from core.logging import scrub
from tenants.api import rotate_token_key
from tenants.data import AccessClaims
from tenants.sessions.access_tokens import (
    AccessTokenInvalid,
    issuer,
    mint_access_token,
    read_access_token,
)
from tenants.sessions.keys import _new, add_key, jwks, signing_keys
from tenants.sessions.ring import ACCESS_LIFETIME, LEEWAY, PUBLISH_AHEAD, KeyAge, signing_key, valid_keys
from tests.cast import TESTER

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLAIMS = AccessClaims(new_ulid(), new_ulid(), new_ulid())
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _own_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key made at NOW, in a secrets file of this test, beside the master key that the database knows."""
    shared, own = secrets_path(), tmp_path / "secrets.json"
    known = json.loads(shared.read_text()) if shared.exists() else {}
    own.write_text(json.dumps({name: value for name, value in known.items() if name.startswith("master_key")}))
    monkeypatch.setenv("LUMOS_SECRETS_FILE", str(own))
    secrets.cache_clear()
    yield
    secrets.cache_clear()


def forged(*, header: dict[str, Any] | None = None, sign_with: Any = None, **body: Any) -> str:
    """A token with other claims or another header, signed by our own key unless another is given."""
    [key] = signing_keys(NOW)
    honest = jwt.decode(mint_access_token(CLAIMS, now=NOW), options={"verify_signature": False})
    parts = [{"alg": "EdDSA", "kid": key.kid, "typ": "at+jwt", **(header or {})}, {**honest, **body}]
    signed = ".".join(_encode(json.dumps({n: v for n, v in part.items() if v is not ...}).encode()) for part in parts)
    return f"{signed}.{_encode((sign_with or key.private.sign)(signed.encode()))}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _public_pem() -> bytes:
    return signing_keys(NOW)[0].private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_was_minted_is_read_again_and_counts_for_five_minutes() -> None:
    token = mint_access_token(CLAIMS, now=NOW)
    assert read_access_token(token, now=NOW) == CLAIMS
    assert read_access_token(forged(), now=NOW) == CLAIMS
    for late in (ACCESS_LIFETIME + LEEWAY, DAY):
        with pytest.raises(AccessTokenInvalid):
            read_access_token(token, now=NOW + late)


def test_clocks_may_differ_by_half_a_minute_and_no_more() -> None:
    token = mint_access_token(CLAIMS, now=NOW)
    assert (
        read_access_token(token, now=NOW - LEEWAY)
        == read_access_token(token, now=NOW + ACCESS_LIFETIME + LEEWAY / 2)
        == CLAIMS
    )
    with pytest.raises(AccessTokenInvalid):
        read_access_token(token, now=NOW - LEEWAY - timedelta(seconds=1))


def test_a_token_says_for_whom_and_nothing_of_what_they_may() -> None:
    body = jwt.decode(mint_access_token(CLAIMS, now=NOW), options={"verify_signature": False})
    assert set(body) == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert (body["aud"], body["iss"]) == (f"ten_{CLAIMS.tenant_id}", issuer())


@pytest.mark.parametrize(
    "change",
    [
        {"header": {"alg": "none"}, "sign_with": lambda text: b""},
        {"header": {"alg": "None"}, "sign_with": lambda text: b""},
        {"header": {"alg": "HS256"}, "sign_with": lambda text: hmac.digest(_public_pem(), text, hashlib.sha256)},
        {"header": {"alg": "ES256"}},
        {"sign_with": lambda text: b""},
        {"sign_with": lambda text: b"x" * 64},
        {"sign_with": Ed25519PrivateKey.generate().sign},
        {"header": {"kid": "another"}},
        {"header": {"kid": "../../secrets.json"}},
        {"header": {"kid": ["x"]}},
        {"header": {"kid": ...}},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": ...}},
        {"header": {"jku": "https://evil.example/jwks.json"}},
        {"header": {"crit": ["exp"], "exp": 1}},
        {"header": {"b64": False}},
        {"iss": "https://another.example"},
        {"aud": ["ten_" + CLAIMS.tenant_id]},
        {"aud": CLAIMS.tenant_id},
        {"aud": ...},
        {"sub": "key_" + CLAIMS.membership_id},
        {"sub": 7},
        {"sid": ...},
        {"exp": ...},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": NOW.timestamp() + 99_999.5},
        {"nbf": int(NOW.timestamp()) + 3_600},
        {"iat": int(NOW.timestamp()) + 3_600},
        {"iat": None},
        {"padding": "x" * 5_000},
    ],
    ids=" ".join,  # each process of a run has other keys and ids, and must know the tests by the same names
)
def test_a_forged_token_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(AccessTokenInvalid):
        read_access_token(forged(**change), now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "eyJ..",
        "eyJhbGciOiJFZERTQSJ9.e30.",
        "é.ü.ö",
        "eyJ" + "A" * 10**6 + ".A.A",
        "a.b.c.d.e",
        "[[[[.[.[",
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        read_access_token(text, now=NOW)


def test_each_flipped_character_breaks_it() -> None:
    token = mint_access_token(CLAIMS, now=NOW)
    for place in range(0, len(token) - 1, 3):  # the last character holds bits that are padding
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(AccessTokenInvalid):
            read_access_token(token[:place] + other + token[place + 1 :], now=NOW)


def test_a_token_is_hidden_from_logs() -> None:
    assert mint_access_token(CLAIMS, now=NOW)[3:30] not in scrub(
        f"Authorization: Bearer {mint_access_token(CLAIMS, now=NOW)}!"
    )
    assert "PrivateKey" not in repr(signing_keys(NOW))


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_new_key_is_published_first_and_the_old_one_counts_until_its_last_token_is_over() -> None:
    [old] = signing_keys(NOW)
    new = add_key(NOW + DAY, at_once=False)
    assert _published(NOW + DAY) == {old.kid, new.kid}
    assert _signed_by(NOW + DAY) == old.kid
    begins = NOW + DAY + PUBLISH_AHEAD
    assert _signed_by(begins) == new.kid
    last = mint_access_token(CLAIMS, now=begins - timedelta(seconds=1))
    assert read_access_token(last, now=begins + ACCESS_LIFETIME) == CLAIMS
    assert _published(begins + ACCESS_LIFETIME + LEEWAY) == {new.kid}


def test_after_a_leak_the_old_keys_end_at_once() -> None:
    token = mint_access_token(CLAIMS, now=NOW)
    new = add_key(NOW, at_once=True)
    assert (_signed_by(NOW), _published(NOW)) == (new.kid, {new.kid})
    with pytest.raises(AccessTokenInvalid):
        read_access_token(token, now=NOW)


def test_a_process_that_runs_learns_of_a_key_that_another_one_made() -> None:
    signing_keys(NOW)
    Secrets(secrets_path()).get("access_token_key_v2", lambda: _new(NOW, at_once=True))
    assert len(signing_keys(NOW)) == 2


def test_rotating_is_audited_and_says_when_the_key_signs(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    signing_keys(NOW)
    call_command("rotate_token_key", "--at-once")
    entry = AuditEntry.objects.get(action="token_keys.rotate")
    assert entry.target in capsys.readouterr().out
    assert entry.detail == {"kid": entry.target, "at_once": True}
    assert rotate_token_key(at_once=False, acting=TESTER, now=NOW).kid != entry.target


@pytest.mark.parametrize("host", ["localhost", "acme.localhost"])
def test_the_public_keys_are_open_to_everybody_and_hold_nothing_private(host: str, acme: Any) -> None:
    answer = Client(HTTP_HOST=host).get("/.well-known/jwks.json")
    [key] = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert jwt.PyJWK(key).key.public_bytes_raw() == signing_keys(NOW)[0].private.public_key().public_bytes_raw()


def _published(now: datetime) -> set[str]:
    return {key["kid"] for key in jwks(now)["keys"]}


def _signed_by(now: datetime) -> str:
    return jwt.get_unverified_header(mint_access_token(CLAIMS, now=now))["kid"]


ages = st.lists(
    st.builds(KeyAge, st.integers(0, 5000).map(lambda minutes: NOW + timedelta(minutes=minutes)), st.booleans()),
    min_size=1,
    max_size=6,
).map(lambda made: sorted(made, key=lambda age: age.made_at))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ages, st.integers(-100, 6000), st.integers(0, int(ACCESS_LIFETIME.total_seconds())))
def test_whatever_signs_is_published_and_stays_valid_for_its_tokens_unless_a_key_leaked(
    made: list[KeyAge], minute: int, later: int
) -> None:
    now = NOW + timedelta(minutes=minute)
    known = [key for key in made if key.made_at <= now] or made[:1]
    signer = signing_key(known, now)
    assert signer in valid_keys(known, now)
    checked_at = now + timedelta(seconds=later)
    then = [key for key in made if key.made_at <= checked_at] or made[:1]
    leaked = any(key.at_once for key in then[len(known) :])
    assert leaked or signer in valid_keys(then, checked_at)
