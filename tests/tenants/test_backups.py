"""A tenant's data as an encrypted file and back: whole, for this tenant only, while others work, or not at all."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.crypto import SealBroken
from core.sealed_stream import CHUNK, SealedReader, SealedWriter, read_header
from core.tenancy import platform_scope, tenant_scope
from tenants import api
from tenants.api import BackupFailed, BackupKind, BackupNotFound, BackupNotTrue, BackupStatus, Tenant, TenantBackup
from tenants.backups import making, schedule
from tenants.backups.archive import opened
from tenants.backups.contents import TableProof
from tenants.backups.restoring import _compare
from tenants.provisioning.schema import drop_schema
from tenants.tasks import back_up_due, backup_drill
from tenants.workspace.models import Conversation, Message, Setting
from tests import cast

NOW = utc_now()
KEY = bytes(range(32))
CANARY = "acme's secret recipe \\. with a tab\t, a newline\n and \\N"


def sealed(data: bytes, header: dict[str, str] | None = None) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, KEY, header or {"tenant": "x"})
    writer.write(data)
    writer.close()
    return target.getvalue()


def unsealed(file: bytes, key: bytes = KEY) -> bytes:
    source = io.BytesIO(file)
    return SealedReader(source, key, read_header(source)).read()


@given(st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]))
@settings(deadline=None, max_examples=14)
def test_what_was_sealed_opens_whatever_its_length(length: int) -> None:
    data = os.urandom(length)
    assert unsealed(sealed(data)) == data


def cut(file: bytes) -> bytes:
    return file[:-1]


def last_chunk_away(file: bytes) -> bytes:
    return file[: len(file) - (4 + 7 + 16)]


def longer(file: bytes) -> bytes:
    return file + b"\0"


def bit_turned(file: bytes) -> bytes:
    return file[:-20] + bytes([file[-20] ^ 1]) + file[-19:]


def other_header(file: bytes) -> bytes:
    return file.replace(b'"x"', b'"y"')


def chunks_swapped(file: bytes) -> bytes:
    start, size = file.index(b"}") + 1 + 7, 4 + CHUNK + 16
    return file[:start] + file[start + size : start + 2 * size] + file[start : start + size] + file[start + 2 * size :]


@pytest.mark.parametrize("harm", [cut, last_chunk_away, longer, bit_turned, other_header, chunks_swapped])
def test_a_file_that_was_touched_does_not_open(harm: Callable[[bytes], bytes]) -> None:
    file = sealed(os.urandom(2 * CHUNK + 7))
    with pytest.raises(SealBroken):
        unsealed(harm(file))


def test_another_key_opens_nothing_and_another_file_is_none_of_ours() -> None:
    with pytest.raises(SealBroken):
        unsealed(sealed(b"data"), key=bytes(32))
    with pytest.raises(SealBroken, match="not a sealed file"):
        read_header(io.BytesIO(b"PK\x03\x04 something else"))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))
    return tmp_path / "backups"


@pytest.fixture
def cast_of_two(transactional_db: None, files: Path) -> Iterator[tuple[cast.Player, cast.Player]]:
    """acme and globex with a conversation each, committed, because pg_dump is another session."""
    players = cast.found_acme(), cast.found_globex()
    for player, text in zip(players, (CANARY, "globex's own"), strict=True):
        with tenant_scope(player.tenant.ref):
            talk = Conversation.objects.create(title="recipe", model="demo-chat", member_id="1")
            Message.objects.create(conversation=talk, role="user", content=text)
            Setting.objects.create(name="theme", value={"dark": True})
    yield players
    with platform_scope():
        for schema in Tenant.objects.values_list("schema_name", flat=True):
            drop_schema(schema)


def back_up(player: cast.Player) -> TenantBackup:
    return api.back_up(tenant_id=player.tenant.id, kind=BackupKind.EXPORT, acting=cast.TESTER, now=NOW)


def contents(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant.ref):
        return list(Message.objects.order_by("id").values_list("content", flat=True))


def test_a_backup_comes_back_whole_and_leaves_the_neighbour_alone(cast_of_two) -> None:
    acme, globex = cast_of_two
    backup = back_up(acme)
    with tenant_scope(acme.tenant.ref):
        Conversation.objects.all().delete()
        Setting.objects.create(name="later", value=1)
    with tenant_scope(globex.tenant.ref):
        Setting.objects.create(name="later", value=1)
    done = api.restore_backup(backup_id=backup.id, tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    assert {name: proof.rows for name, proof in done.tables.items()} == {
        "workspace_conversation": 1,
        "workspace_message": 1,
        "workspace_setting": 1,
        "workspace_setting_version": 0,
        "workspace_webhook_attempt": 0,
        "workspace_webhook_endpoint": 0,
        "workspace_webhook_message": 0,
    }
    assert contents(acme.tenant) == [CANARY]
    with tenant_scope(acme.tenant.ref):
        assert list(Setting.objects.values_list("name", flat=True)) == ["theme"]
        Setting.objects.create(name="writes again", value=1)
    with tenant_scope(globex.tenant.ref):
        assert Setting.objects.count() == 2
    assert api.schemas_behind([acme.tenant.schema_name]) == []
    assert not api.find_drift(now=NOW).drifted.keys() & {acme.tenant.schema_name}
    actions = AuditEntry.objects.filter(tenant_id=acme.tenant.id).values_list("action", flat=True)
    assert {"tenants.back_up", "tenants.restore"} <= set(actions)
    told = OutboxEvent.objects.get(payload__name="tenant.data_restored").payload
    assert (told["tenant_id"], told["data"]["backup"]) == (acme.tenant.id, backup.public_id)


def test_the_file_is_readable_by_us_alone_and_holds_no_plain_text(cast_of_two, files: Path) -> None:
    backup = back_up(cast_of_two[0])
    path = api.backup_path(backup)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    file = path.read_bytes()
    assert backup.size == len(file)
    for plain in (b"recipe", b"PGDMP", b"acme"):
        assert plain not in file
    assert not list(files.rglob("*.part"))


def test_the_shared_rows_in_it_are_the_tenants_alone(cast_of_two) -> None:
    acme, globex = cast_of_two
    backup = back_up(acme)
    with api.backup_path(backup).open("rb") as source, opened(source, backup) as (manifest, parts):
        shared = b"".join(part.read() for name, part in parts if name.startswith("shared/"))
    assert manifest.shared["tenants_apikey"].rows == 1
    assert manifest.shared["tenants_membership"].rows == 1
    assert acme.tenant.id.encode() in shared
    assert globex.tenant.id.encode() not in shared
    assert acme.plaintext.encode() not in shared


def test_it_is_restored_into_a_new_tenant_while_the_old_one_lives(cast_of_two, capsys) -> None:
    acme, _ = cast_of_two
    backup = back_up(acme)
    call_command("backup", "restore", backup.public_id, "--into", "acme-copy")
    copy = api.tenant_by_slug("acme-copy")
    assert contents(copy) == contents(acme.tenant) == [CANARY]
    with tenant_scope(copy.ref):
        Message.objects.all().delete()
    assert contents(acme.tenant) == [CANARY]
    assert "3 rows of 7 tables are back in acme-copy" in capsys.readouterr().out


def test_others_are_served_while_one_is_restored(cast_of_two) -> None:
    acme, globex = cast_of_two
    backup = back_up(acme)
    served, stop = [], threading.Event()

    def serve() -> None:
        while not stop.is_set():
            served.append(contents(globex.tenant))
        connections["default"].close()

    other = threading.Thread(target=serve)
    other.start()
    try:
        api.restore_backup(backup_id=backup.id, tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    finally:
        stop.set()
        other.join()
    assert len(served) > 3
    assert served == [["globex's own"]] * len(served)


def test_a_file_that_was_changed_changes_nothing(cast_of_two) -> None:
    acme, _ = cast_of_two
    backup = back_up(acme)
    path = api.backup_path(backup)
    file = bytearray(path.read_bytes())
    file[-30] ^= 1
    path.write_bytes(file)
    with pytest.raises(SealBroken):
        api.restore_backup(backup_id=backup.id, tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    assert contents(acme.tenant) == [CANARY]


def test_another_tenants_file_under_this_ones_name_does_not_open(cast_of_two) -> None:
    acme, globex = cast_of_two
    mine, theirs = back_up(acme), back_up(globex)
    shutil.copy(api.backup_path(theirs), api.backup_path(mine))
    with pytest.raises(SealBroken):
        api.restore_backup(backup_id=mine.id, tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    assert contents(acme.tenant) == [CANARY]


def test_a_proof_compares_every_table_and_leaves_no_trace(cast_of_two) -> None:
    backup = back_up(cast_of_two[0])
    with connection.cursor() as cursor:
        schemas = "SELECT count(*) FROM pg_namespace"
        cursor.execute(schemas)
        before = cursor.fetchone()
        done = api.prove_backup(backup_id=backup.id, now=NOW)
        cursor.execute(schemas)
        assert cursor.fetchone() == before
    assert done.tables == done.manifest.own
    backup.refresh_from_db()
    assert backup.proven_at == NOW


def test_rows_that_differ_from_the_manifest_are_refused(cast_of_two) -> None:
    proof = {"a": TableProof(1, "5"), "b": TableProof(0, "0")}
    _compare(proof, dict(proof))
    for found in (
        {"a": TableProof(1, "6"), "b": TableProof(0, "0")},
        {"a": TableProof(1, "5")},
        {**proof, "c": proof["a"]},
    ):
        with pytest.raises(BackupNotTrue):
            _compare(proof, found)


def test_the_schedule_backs_up_once_a_day_prunes_and_drills(cast_of_two) -> None:
    assert back_up_due() == 2
    assert back_up_due() == 0
    for day in range(1, 10):
        assert schedule.back_up_due(now=NOW + timedelta(days=day, hours=1)) == 2
    assert TenantBackup.objects.count() == 2 * schedule.KEPT
    assert len(list(making.folder_of(cast_of_two[0].tenant.id).iterdir())) == schedule.KEPT
    proven = backup_drill()
    assert TenantBackup.objects.get(pk=proven).proven_at is not None


def test_a_drill_without_backups_says_so(db, files: Path) -> None:
    assert schedule.drill(now=NOW) is None


def test_a_failed_backup_is_listed_with_its_reason_and_leaves_no_file(cast_of_two, files, settings, capsys) -> None:
    settings.POSTGRES_BIN = "/nonexistent"
    with pytest.raises(BackupFailed, match="pg_dump was not found"):
        back_up(cast_of_two[0])
    failed = TenantBackup.objects.get()
    assert failed.status == BackupStatus.FAILED
    assert "LUMOS_POSTGRES_BIN" in failed.error
    assert [path for path in files.rglob("*") if path.is_file()] == []
    with pytest.raises(BackupNotFound):
        api.backup_by_id(failed.id)
    call_command("backup", "list")
    assert "FAILED" in capsys.readouterr().out


def test_what_a_killed_process_left_is_swept(cast_of_two) -> None:
    acme, _ = cast_of_two
    torn = TenantBackup.objects.create(tenant_id=acme.tenant.id, kind=BackupKind.SCHEDULED, created_at=NOW)
    part = api.backup_path(torn).with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"half")
    assert making.sweep_torn(now=NOW + timedelta(hours=1)) == 0
    assert making.sweep_torn(now=NOW + timedelta(hours=7)) == 1
    assert not part.exists()
    torn.refresh_from_db()
    assert torn.status == BackupStatus.FAILED


def test_the_command_creates_lists_and_proves(cast_of_two, capsys) -> None:
    call_command("backup", "create", "acme")
    identifier = capsys.readouterr().out.split()[0]
    call_command("backup", "list", "acme")
    assert identifier in capsys.readouterr().out
    call_command("backup", "prove", identifier)
    assert "All tables are what was backed up" in capsys.readouterr().out
    with pytest.raises(CommandError, match="add --yes"):
        call_command("backup", "restore", identifier)
    call_command("backup", "restore", identifier, "--yes")
    with pytest.raises(CommandError, match="no such tenant"):
        call_command("backup", "create", "nobody")
    with pytest.raises(CommandError, match="bak_"):
        call_command("backup", "prove", "key_1")


def test_deleting_a_backup_removes_its_file(cast_of_two) -> None:
    backup = back_up(cast_of_two[0])
    path = api.backup_path(backup)
    api.delete_backup(backup_id=backup.id, acting=cast.TESTER, now=NOW)
    assert not path.exists()
    with pytest.raises(BackupNotFound):
        api.delete_backup(backup_id=backup.id, acting=cast.TESTER, now=NOW)
