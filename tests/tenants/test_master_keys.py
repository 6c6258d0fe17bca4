"""Rotating the master key while others work, resuming what was killed, retiring, and starting without the key."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from audit.models import AuditEntry
from core import master_keys
from core.clock import utc_now
from core.conf import ROOT, Secrets, secrets
from core.crypto import SealBroken, seal, unseal, versions_in
from core.master_keys import Sealed
from core.redis import redis_url
from core.redis.pipe import RedisPipe
from mail.models import OutgoingMail
from mail.services import send_waiting
from mail.tasks import send_waiting as send_waiting_mail
from proxy.api import add_provider, set_provider_key
from proxy.catalogue import Catalogue, seal_context
from proxy.conf import GatewaySettings
from proxy.models import ProviderKey
from proxy.services import provider_key_is
from tenants import api
from tenants.backups.archive import opened
from tenants.models import MasterKey, PooledSchema, TenantDataKey
from tenants.services.data_keys import data_key_of, destroy_data_key
from tests import cast
from tests.children import database_url, run_child

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]
NOW = utc_now()
SECRET = "sk-planted-canary-5150"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    """A secrets file and a set-up of the test's own, for this process and those that it starts."""
    path = tmp_path / "secrets.json"
    path.write_bytes(secrets()._path.read_bytes())
    monkeypatch.setenv("LUMOS_SECRETS_FILE", str(path))
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))
    secrets.cache_clear()
    master_keys.expect({})
    assert api.set_up_master_key(now=NOW)
    yield secrets()
    master_keys.expect({})
    monkeypatch.undo()
    secrets.cache_clear()


@pytest.fixture
def acme() -> cast.Player:
    player = cast.found_acme()
    add_provider(name="cloud", kind="openai", base_url="https://models.example/v1", acting=cast.TESTER, now=NOW)
    set_provider_key(provider="cloud", plaintext=SECRET, acting=cast.TESTER, now=NOW)
    api.invite_member(
        tenant_id=player.tenant.id,
        email="new@acme.example",
        role=api.Role.VIEWER,
        owners=True,
        acting=cast.TESTER,
        now=NOW,
    )
    return player


def rotate() -> api.Rotation:
    return api.rotate_master_key(acting=cast.TESTER, now=NOW)


def mislay(file: Secrets) -> dict[str, str | None]:
    """Take the master key away; returns what puts it back."""
    kept = {name: file.find(name) for name in ("master_key_v1", "master_key_current")}
    file.put(dict.fromkeys(kept))
    return kept


def test_a_rotation_wraps_everything_anew_and_what_was_sealed_stays_readable(acme: cast.Player) -> None:
    tenant = acme.tenant.id
    key = data_key_of(tenant)
    own = api.seal_for_tenant("whsec", tenant_id=tenant, table="x", row="1", field="secret")
    done = rotate()
    assert (done.version, done.data_keys) == (2, TenantDataKey.objects.count())
    assert done.envelopes == 2
    assert set(TenantDataKey.objects.values_list("kek_version", flat=True)) == {2}
    assert api.master_key_uses() == {1: 0, 2: done.data_keys + 2}
    assert data_key_of(tenant) == key
    assert api.unseal_for_tenant(own, tenant_id=tenant, table="x", row="1", field="secret") == "whsec"
    assert provider_key_is(SECRET, provider="cloud")
    assert send_waiting(now=NOW) == 1
    entry = AuditEntry.objects.get(action="master_keys.rotate")
    assert entry.detail == {"version": 2, "data_keys": done.data_keys, "envelopes": 2}
    assert SECRET not in str(entry.__dict__)
    assert seal("later", context="c").startswith("v2.2.")


@pytest.mark.faults
@pytest.mark.parametrize("point", ["stored", "chosen", "data_keys", "envelopes"])
def test_a_rotation_that_is_killed_goes_on_where_it_stopped(acme: cast.Player, point: str) -> None:
    body = "from audit.api import SYSTEM\nfrom tenants.api import rotate_master_key\n"
    ended = run_child(body + "rotate_master_key(acting=SYSTEM, now=utc_now())", faults=f"master_keys.rotate.{point}")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert provider_key_is(SECRET, provider="cloud")
    done = rotate()
    assert done.version == 2
    uses = api.master_key_uses()
    assert (uses[1], set(uses)) == (0, {1, 2})
    assert provider_key_is(SECRET, provider="cloud")


def test_an_old_version_is_retired_when_nothing_needs_it_and_not_before(acme: cast.Player, file: Secrets) -> None:
    retire = {"version": 1, "acting": cast.TESTER}
    with pytest.raises(api.MasterKeyInUse):
        api.retire_master_key(now=NOW, **retire)
    rotate()
    with pytest.raises(api.MasterKeyInUse, match="less than a day"):
        api.retire_master_key(now=NOW, **retire)
    key = ProviderKey.objects.get()
    ProviderKey.objects.update(sealed=key.sealed.replace("v2.2.", "v1.", 1))
    with pytest.raises(api.MasterKeyInUse, match="wrapped with it"):
        api.retire_master_key(now=NOW + timedelta(days=2), **retire)
    ProviderKey.objects.update(sealed=key.sealed)
    api.retire_master_key(now=NOW + timedelta(days=2), **retire)
    assert file.find("master_key_v1") is None
    assert api.check_master_keys()
    assert provider_key_is(SECRET, provider="cloud")
    assert rotate().version == 3


@pytest.fixture
def environment(file: Secrets, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The first version of the master key is given, and chosen, by the environment."""
    monkeypatch.setenv("LUMOS_MASTER_KEY_V1", str(file.find("master_key_v1")))
    monkeypatch.setenv("LUMOS_MASTER_KEY_CURRENT", "1")
    return monkeypatch


def test_a_rotation_is_refused_where_the_environment_chooses_and_has_no_next_version(
    acme: cast.Player, file: Secrets, environment: pytest.MonkeyPatch
) -> None:
    with pytest.raises(api.MasterKeyInUse, match="environment") as caught:
        rotate()
    assert "LUMOS_MASTER_KEY_CURRENT=2" in str(caught.value.next_step)
    assert file.find("master_key_v2") is None
    assert set(MasterKey.objects.values_list("version", flat=True)) == {1}


def test_a_version_that_the_environment_chose_is_registered_and_the_old_one_can_be_retired(
    acme: cast.Player, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("LUMOS_MASTER_KEY_V2", base64.b64encode(os.urandom(32)).decode())
    environment.setenv("LUMOS_MASTER_KEY_CURRENT", "2")
    assert rotate().version == 2
    assert AuditEntry.objects.filter(action="master_keys.add", target="v2").exists()
    assert api.master_key_uses()[1] == 0
    with pytest.raises(api.MasterKeyInUse, match="environment"):
        rotate()
    api.retire_master_key(version=1, acting=cast.TESTER, now=NOW + timedelta(days=2))
    assert api.check_master_keys()
    environment.setenv("LUMOS_MASTER_KEY_V2", base64.b64encode(os.urandom(32)).decode())
    assert not api.check_master_keys()


async def load_catalogue() -> Catalogue:
    """As a gateway does that starts or has lost Redis."""
    catalogue, pipe = Catalogue(GatewaySettings()), RedisPipe(redis_url())
    await pipe.connect()
    await catalogue.load(pipe)
    await pipe.close()
    return catalogue


def test_a_gateway_that_starts_after_a_version_was_retired_is_not_sealed(acme: cast.Player, file: Secrets) -> None:
    call_command("rotate_kek", stdout=StringIO())
    MasterKey.objects.filter(version=1).update(replaced_at=NOW - timedelta(days=2))
    call_command("rotate_kek", "--retire", "1", stdout=StringIO())
    assert file.find("master_key_v1") is None
    assert not master_keys.is_sealed()
    assert not asyncio.run(load_catalogue()).sealed


@pytest.mark.faults
def test_a_retirement_that_is_killed_before_the_key_is_forgotten_can_be_repeated(
    acme: cast.Player, file: Secrets
) -> None:
    rotate()
    late = "now=utc_now() + timedelta(days=2)"
    body = "from datetime import timedelta\nfrom audit.api import SYSTEM\nfrom tenants.api import retire_master_key\n"
    call = f"retire_master_key(version=1, acting=SYSTEM, {late})"
    ended = run_child(body + call, faults="master_keys.retire.told")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert file.find("master_key_v1") is not None
    api.retire_master_key(version=1, acting=cast.TESTER, now=NOW)
    assert file.find("master_key_v1") is None
    assert AuditEntry.objects.filter(action="master_keys.retire").count() == 1


def test_an_envelope_of_the_oldest_form_keeps_no_later_rotation_from_making_a_version(acme: cast.Player) -> None:
    key = ProviderKey.objects.get()
    ProviderKey.objects.update(sealed=key.sealed.replace("v2.1.", "v1.", 1))
    assert rotate().version == 2
    assert rotate().version == 3
    assert api.master_key_uses()[1] == 1


def test_the_command_seals_providers_keys_of_the_oldest_form_anew_and_names_what_it_cannot(acme: cast.Player) -> None:
    key, out = ProviderKey.objects.get(), StringIO()
    ProviderKey.objects.update(sealed=in_the_oldest_form(SECRET, seal_context(key.provider_id)))
    assert provider_key_is(SECRET, provider="cloud")
    call_command("rotate_kek", "--status", stdout=out)
    assert "proxy_providerkey.sealed: 1 of the oldest form" in out.getvalue()
    call_command("rotate_kek", stdout=StringIO())
    assert ProviderKey.objects.get().sealed.startswith("v2.2.")
    assert provider_key_is(SECRET, provider="cloud")
    assert AuditEntry.objects.get(action="providers.seal_key_anew").target == "cloud"
    assert api.master_key_uses()[1] == 0
    ProviderKey.objects.update(sealed=in_the_oldest_form(SECRET, "of another row"))
    call_command("rotate_kek", stdout=StringIO())
    call_command("rotate_kek", "--status", stdout=(after := StringIO()))
    assert "enter anew" in after.getvalue()


def in_the_oldest_form(plain: str, context: str) -> str:
    data_key = AESGCM.generate_key(256)
    parts = ((master_keys.master_key(1), data_key), (data_key, plain.encode()))
    sealed = []
    for key, text in parts:
        nonce = os.urandom(12)
        sealed.append(base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, text, context.encode())).decode())
    return ".".join(("v1", *sealed))


def test_a_ciphertext_of_another_tenant_row_or_field_does_not_open(acme: cast.Player) -> None:
    globex = cast.found_globex()
    place = {"tenant_id": acme.tenant.id, "table": "x", "row": "1", "field": "secret"}
    sealed = api.seal_for_tenant("whsec", **place)
    for change in ({"tenant_id": globex.tenant.id}, {"row": "2"}, {"field": "other"}, {"table": "y"}):
        with pytest.raises(SealBroken):
            api.unseal_for_tenant(sealed, **(place | change))
    wrapped = TenantDataKey.objects.get(pk=acme.tenant.id).wrapped
    TenantDataKey.objects.filter(pk=globex.tenant.id).update(wrapped=wrapped)
    with pytest.raises(SealBroken):
        data_key_of(globex.tenant.id)
    key = ProviderKey.objects.get()
    with pytest.raises(SealBroken):
        unseal(key.sealed, context=seal_context("another"))


def test_a_backup_opens_after_a_rotation_and_not_once_the_tenants_key_is_destroyed(acme: cast.Player) -> None:
    backup = api.back_up(tenant_id=acme.tenant.id, kind=api.BackupKind.EXPORT, acting=cast.TESTER, now=NOW)
    rotate()
    assert api.backup_manifest(backup).tenant["slug"] == "acme"
    destroy_data_key(tenant_id=acme.tenant.id)
    with pytest.raises(api.TenantNotFound), api.backup_path(backup).open("rb") as source, opened(source, backup):
        pass


def test_without_its_key_an_installation_is_sealed_and_makes_none(acme: cast.Player, file: Secrets) -> None:
    kept = mislay(file)
    assert not api.set_up_master_key(now=NOW)
    MasterKey.objects.all().delete()  # as of an installation that was set up before versions were written down
    assert not api.set_up_master_key(now=NOW)
    assert file.find("master_key_v1") is None
    MasterKey.objects.create(version=1, fingerprint="0" * 32)
    for use in (lambda: data_key_of(acme.tenant.id), lambda: provider_key_is(SECRET, provider="cloud"), rotate):
        with pytest.raises(Sealed):
            use()
    MasterKey.objects.all().delete()
    file.put(kept)
    assert api.set_up_master_key(now=NOW)
    assert provider_key_is(SECRET, provider="cloud")


def test_what_waits_while_sealed_is_not_lost(acme: cast.Player, file: Secrets) -> None:
    kept = mislay(file)
    assert send_waiting(now=NOW) == 0
    assert OutgoingMail.objects.get().attempts == 0
    assert not api.fill_pool(now=NOW).led
    assert PooledSchema.objects.count() == 0
    file.put(kept)
    assert send_waiting(now=NOW) == 1


def test_another_key_of_the_same_version_is_not_taken_for_it(acme: cast.Player, file: Secrets) -> None:
    kept = mislay(file)
    file.put({"master_key_v1": base64.b64encode(os.urandom(32)).decode()})
    assert not api.check_master_keys()
    with pytest.raises(Sealed):
        set_provider_key(provider="cloud", plaintext="sk-another-5151", acting=cast.TESTER, now=NOW)
    file.put(kept)
    assert api.check_master_keys()


def test_a_process_of_a_worker_that_was_told_nothing_seals_with_no_other_key(acme: cast.Player, file: Secrets) -> None:
    file.put({"master_key_v1": base64.b64encode(os.urandom(32)).decode()})
    master_keys.expect({})
    send_waiting_mail.apply()
    with pytest.raises(Sealed):
        seal("x", context="c")


def test_a_command_that_was_told_nothing_seals_with_no_other_key(acme: cast.Player, file: Secrets) -> None:
    file.put({"master_key_v1": base64.b64encode(os.urandom(32)).decode()})
    master_keys.expect({})
    call_command("backup", "list", stdout=StringIO())
    with pytest.raises(Sealed):
        seal("x", context="c")


def test_the_admin_works_while_sealed_and_says_what_to_do(acme: cast.Player, file: Secrets) -> None:
    olivia = cast.found_olivia()
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(olivia.user)
    assert "This installation is sealed" not in browser.get("/admin/").content.decode()
    kept = mislay(file)
    page = browser.get("/admin/")
    assert page.status_code == 200
    assert "This installation is sealed" in page.content.decode()
    file.put(kept)
    assert "This installation is sealed" not in browser.get("/admin/").content.decode()


def test_the_command_rotates_shows_and_retires(acme: cast.Player, file: Secrets) -> None:
    out = StringIO()
    call_command("rotate_kek", stdout=out)
    call_command("rotate_kek", "--status", stdout=out)
    said = out.getvalue()
    assert "v2 wraps everything" in said
    assert "current" in said
    with pytest.raises(CommandError, match="less than a day"):
        call_command("rotate_kek", "--retire", "1")
    mislay(file)
    call_command("rotate_kek", "--status", stdout=out)
    assert "missing" in out.getvalue()
    with pytest.raises(CommandError, match="sealed"):
        call_command("rotate_kek")


def test_no_table_holds_a_secret_in_the_clear(acme: cast.Player, capsys: Any) -> None:
    rotate()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM public."{table}" t WHERE t::text LIKE %s', [f"%{SECRET}%"])
            assert cursor.fetchone() == (0,), table
    printed = capsys.readouterr()
    key = secrets().find("master_key_v2")
    assert key
    assert not any(secret in printed.out + printed.err for secret in (SECRET, key))
    assert versions_in(ProviderKey.objects.get().sealed) == [2]


def test_whatever_is_run_by_hand_asks_for_the_right_key_before_it_seals(acme: cast.Player, file: Secrets) -> None:
    """As an operator's shell would, or a command that writes a letter."""
    told = in_the_shell("from core.crypto import seal; print(seal('x', context='c'))")
    assert told.stdout.startswith("v2.1.")
    file.put({"master_key_v1": base64.b64encode(os.urandom(32)).decode()})
    told = in_the_shell("from core.crypto import seal; print(seal('x', context='c'))")
    assert "Sealed: Version 1 of the master key is not the one that this installation was set up with" in told.stderr
    assert told.stdout == ""


def in_the_shell(code: str) -> subprocess.CompletedProcess[str]:
    settings = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control"}
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    return subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=120)
