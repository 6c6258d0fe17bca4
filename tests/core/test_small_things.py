"""Identifiers, money, errors, logs and secrets: the small parts that everything else leans on."""

from __future__ import annotations

import errno
import hmac
import json
import os
import signal
import stat
import string
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import crypto, events, ids, money
from core.conf import ROOT, Secrets, SecretsFixed
from core.errors import InvalidInput, LumosError, StaleState, TooManyRequests
from core.logging import scrub
from core.tenancy.channels import group_name


def test_an_id_is_a_lower_case_ulid_that_sorts_by_time() -> None:
    early, late = ids.new_ulid(1_000), ids.new_ulid(2_000)
    assert early < late
    assert ids.is_ulid(early)
    assert len({ids.new_ulid() for _ in range(1000)}) == 1000


def test_the_largest_moment_still_fits() -> None:
    assert ids.new_ulid((1 << 48) - 1)[0] == "7"


def test_a_prefixed_id_comes_back_bare() -> None:
    identifier = ids.new_ulid()
    assert ids.parse_prefixed("ten", ids.prefixed("ten", identifier)) == identifier


@pytest.mark.parametrize(
    "text", ["", "ten_", "key_01m7y32w987h1xfxtr72hfs5xt", "ten_01M7Y32W987H1XFXTR72HFS5XT", "ten_il"]
)
def test_anything_else_is_named_as_the_wrong_field(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ids.parse_prefixed("ten", text)
    assert "id" in caught.value.fields


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_micro_units_never_let_more_through(amount: Decimal) -> None:
    assert money.from_micro(money.to_micro(amount)) >= amount
    assert money.from_micro(money.to_micro(amount)) - amount < Decimal("0.000001")


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [("0.725", "USD", "0.73"), ("0.5", "JPY", "1"), ("1.0005", "KWD", "1.001"), ("2.345", "EUR", "2.35")],
)
def test_money_rounds_half_up_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert money.round_money(Decimal(amount), currency) == Decimal(rounded)


def test_an_error_carries_code_status_and_next_step() -> None:
    error = TooManyRequests("slow down", next_step="wait", headers={"retry-after": "3"})
    assert (error.code, error.status, str(error)) == ("too_many_requests", 429, "slow down")
    assert error.headers == {"retry-after": "3"}
    assert StaleState().message == StaleState.title
    assert issubclass(StaleState, LumosError)


def test_credentials_are_cut_out_of_log_lines() -> None:
    line = scrub("used lum_live_abcdefABCDEF123456 and sk-proj-abcdefghijk to call")
    assert "abcdef" not in line
    assert "lum_live_[hidden]" in line


def test_secrets_are_made_once_with_mode_600_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    first = Secrets(path).get("pepper")
    again = Secrets(path)
    assert again.get("pepper") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first not in repr(again)
    assert json.loads(path.read_text())["pepper"] == first


def test_a_secret_that_another_process_stored_is_found(tmp_path: Path) -> None:
    mine, theirs = Secrets(tmp_path / "s.json"), Secrets(tmp_path / "s.json")
    assert mine.find("pepper") is None
    assert mine.get("other")
    assert mine.find("pepper") is None
    stored = theirs.get("pepper")
    assert mine.find("pepper") == stored


def test_processes_that_start_at_once_agree_on_a_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.conf import Secrets;"
        " print(Secrets(Path(sys.argv[1])).get('x'))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s.json")], stdout=subprocess.PIPE, env=os.environ)
        for _ in range(6)
    ]
    assert len({run.communicate()[0] for run in runs}) == 1


def test_a_secret_that_is_taken_away_breaks_no_reader_that_looks_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    mine, theirs = Secrets(path), Secrets(path)
    theirs.put({"long": "x" * 100, "short": "y"})
    with path.open() as opened:
        theirs.put({"long": None})
        assert json.loads(opened.read()) == {"long": "x" * 100, "short": "y"}
    assert mine.find("long") is None
    assert os.listdir(tmp_path) == ["s.json"]


def test_a_broken_secrets_file_takes_nothing_from_who_has_read_it_and_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    mine = Secrets(path)
    mine.put({"pepper": "y"})
    assert mine.find("pepper") == "y"
    path.write_text('{"pepper": "y"}}')
    assert mine.find("pepper") == "y"
    with pytest.raises(ValueError, match="Extra data"):
        Secrets(path).get("pepper")
    assert path.read_text() == '{"pepper": "y"}}'


@pytest.mark.faults
def test_secrets_survive_a_process_that_is_killed_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    Secrets(path).put({"pepper": "y"})
    path.chmod(0o640)
    write = "from pathlib import Path\nfrom core.conf import Secrets\nSecrets(Path(sys.argv[1])).put({'x': 'z'})"
    run = [sys.executable, "-c", f"import sys\n{write}", str(path)]
    killed = subprocess.run(run, env=os.environ | {"LUMOS_FAULTS": "core.secrets.written"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert json.loads(path.read_text()) == {"pepper": "y"}
    Secrets(path).put({"x": "z"})
    assert json.loads(path.read_text()) == {"pepper": "y", "x": "z"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_sealed_value_opens_in_its_own_context_only() -> None:
    sealed = crypto.seal("sk-secret", context="provider:1")
    assert "secret" not in sealed
    assert crypto.unseal(sealed, context="provider:1") == "sk-secret"
    with pytest.raises(crypto.SealBroken):
        crypto.unseal(sealed, context="provider:2")


@pytest.mark.parametrize("damaged", ["", "v1.a", "v9.YQ==.YQ==", "v1.****.YQ=="])
def test_a_damaged_envelope_is_an_error_of_ours(damaged: str) -> None:
    with pytest.raises(crypto.SealBroken):
        crypto.unseal(damaged, context="x")


def test_hashes_depend_on_purpose_and_version() -> None:
    digests = {
        crypto.hmac_digest("a", "api_key", 1),
        crypto.hmac_digest("a", "api_key", 2),
        crypto.hmac_digest("a", "other", 1),
    }
    assert len(digests) == 3
    assert all(set(digest) <= set(string.hexdigits) for digest in digests)


def test_group_names_are_only_made_for_real_tenants_and_plain_topics() -> None:
    assert group_name("01m7y32w987h1xfxtr72hfs5xt", "usage").endswith(".usage")
    for tenant, topic in (("*", "usage"), ("01m7y32w987h1xfxtr72hfs5xt", "a.b"), ("01m7y32w987h1xfxtr72hfs5xt", "")):
        with pytest.raises(InvalidInput):
            group_name(tenant, topic)


def test_an_event_survives_its_stored_form() -> None:
    from tenants.data import TenantChanged

    event = TenantChanged("01m7y32w987h1xfxtr72hfs5xt", "ACTIVE")
    assert events.revive(event.type_name, json.loads(json.dumps(event.payload()))) == event


def test_two_classes_cannot_share_an_event_name() -> None:
    with pytest.raises(ValueError, match="is taken"):

        @events.event_type("tenants.tenant-changed")
        class Impostor(events.DomainEvent):
            pass


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_prepared_hash_is_the_standard_one(key: bytes, message: bytes) -> None:
    assert crypto.KeyedHash(key).hexdigest(message) == hmac.digest(key, message, "sha256").hex()


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EROFS, errno.EXDEV])
def test_a_secrets_file_that_is_mounted_by_itself_is_refused_with_what_to_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The operating system is the edge here: a mount needs rights that tests have not."""
    path = tmp_path / "s.json"
    path.write_text('{"pepper": "y"}')

    def busy(*names: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", busy)
    mine = Secrets(path)
    with pytest.raises(SecretsFixed, match="cannot be written where it is") as refused:
        mine.put({"x": "z"})
    assert "Mount the folder" in (refused.value.next_step or "")
    assert path.read_text() == '{"pepper": "y"}'
    assert list(tmp_path.iterdir()) == [path]
    assert mine.get("pepper") == "y"


def test_a_whole_secrets_file_that_is_read_only_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"pepper": "y"}')

    def read_only(*names: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)
    assert Secrets(path).get("pepper") == "y"
    with pytest.raises(SecretsFixed):
        Secrets(path).get("another")


def test_a_command_says_it_in_a_sentence_without_a_trace() -> None:
    environment = os.environ | {"LUMOS_SECRETS_FILE": "/sys/secrets.json"}
    said = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert "The secrets file /sys/secrets.json cannot be written where it is" in said.stderr
    assert "Traceback" not in said.stderr
