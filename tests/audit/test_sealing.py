"""Sealing: numbers without gaps per chain, in order of becoming visible, by one process, in no writer's way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from audit import api, tasks
from audit.chain.links import GENESIS, digest_of, head_message, link_hash
from audit.chain.sealing import adopt_chain
from audit.chain.signing import has_valid_signature, public_keys, sign_head
from audit.models import AuditEntry, AuditLink, ChainHead, WaitingEntry
from core.clock import utc_now
from core.conf import secrets
from core.errors import InvalidInput, NotFound
from core.ids import new_ulid
from core.tenancy import platform_scope, tenant_scope
from tests.audit.conftest import write
from tests.audit.reading import the_entry
from tests.audit.tampering import tamper
from tests.cast import TESTER, Player


def test_what_is_hashed_and_signed_is_written_down_here_and_never_changes() -> None:
    """Known answers, made with printf and sha256sum: a head kept last year is checked by next year's software."""
    content = {"v": 1, "id": "01", "at": "2026-11-21T00:00:00.000000+00:00", "detail": {"b": 1, "a": "é"}}
    first = link_hash(chain="platform", sequence=1, previous=GENESIS, digest=digest_of(content))
    moment = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
    assert (digest_of(content), first, head_message(chain="c", sequence=1, hash="h", sealed_at=moment)) == (
        "b7b6e4134d1967a1f26cf13dfe4ec52ef1a409a92959967d8bd2ee1e051d251d",
        "1d98d6a22781271bb72318b068a7e344cea5aa6247b1679d4707b956acb500d6",
        b"lumos-audit-head-1\nc\n1\nh\n2026-11-21T12:00:00.000005+00:00",
    )


@pytest.mark.django_db
def test_each_chain_has_its_own_numbers_and_a_signed_head() -> None:
    first, second = new_ulid(), new_ulid()
    for _ in range(3):
        write(first, 1)
        write(second, 2)
    write("", 1)
    assert api.waiting_count(first) == 3
    assert api.seal_waiting(now=utc_now(), batch=4) == 10
    assert api.waiting_count() == 0
    numbers = {
        chain: list(AuditLink.objects.filter(chain=chain).order_by("sequence").values_list("sequence", flat=True))
        for chain in (first, second, api.PLATFORM)
    }
    assert numbers == {first: [1, 2, 3], second: [1, 2, 3, 4, 5, 6], api.PLATFORM: [1]}
    for head in ChainHead.objects.all():
        assert has_valid_signature(head.signed)
        assert AuditLink.objects.get(chain=head.chain, sequence=head.sequence).hash == head.hash


@pytest.mark.django_db
def test_a_chain_is_extended_where_it_ended(hooli: str) -> None:
    write(hooli, 2)
    assert tasks.seal() == 2
    assert tasks.seal() == 0
    assert ChainHead.objects.get(pk=hooli).sequence == 10
    assert [report.fault for report in api.check_chains(now=utc_now(), chain=hooli)] == [None]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_neither_in_the_log_nor_on_a_chain() -> None:
    tenant_id = new_ulid()
    with pytest.raises(RuntimeError, match="no"), transaction.atomic():
        write(tenant_id, 1)
        raise RuntimeError("no")
    write(tenant_id, 1)
    assert api.seal_waiting(now=utc_now()) == 1
    assert AuditEntry.objects.filter(tenant_id=tenant_id).count() == ChainHead.objects.get().sequence == 1


@pytest.mark.django_db(transaction=True)
def test_an_open_change_holds_up_neither_the_sealer_nor_other_changes_of_its_tenant() -> None:
    tenant_id, opened, sealed = new_ulid(), Event(), Event()

    def slow_change() -> None:
        with platform_scope(), transaction.atomic():
            write(tenant_id, 1, "tests.slow")
            opened.set()
            assert sealed.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(slow_change)
        assert opened.wait(10)
        began = time.monotonic()
        write(tenant_id, 3)
        assert api.seal_waiting(now=utc_now()) == 3
        assert time.monotonic() - began < 5
        sealed.set()
        running.result(10)
    assert api.seal_waiting(now=utc_now()) == 1
    last = AuditLink.objects.get(chain=tenant_id, sequence=4)
    assert AuditEntry.objects.get(pk=last.entry_id).action == "tests.slow"


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_many_sealers_make_chains_without_gap_and_without_double() -> None:
    chains = [new_ulid() for _ in range(4)]

    def work(number: int) -> None:
        with platform_scope():
            for turn in range(10):
                with transaction.atomic():
                    write(chains[(number + turn) % 4], 1)
                if turn % 3 == 0:
                    api.seal_waiting(now=utc_now(), batch=7)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    while api.seal_waiting(now=utc_now()):
        pass
    assert WaitingEntry.objects.count() == 0
    assert sum(ChainHead.objects.values_list("sequence", flat=True)) == AuditLink.objects.count() == 160
    assert [report.fault for report in api.check_chains(now=utc_now())] == [None] * 4


@pytest.mark.django_db
def test_a_tenant_sees_its_own_chain_and_can_change_nothing_of_it(acme: Player, globex: Player) -> None:
    api.seal_waiting(now=utc_now())
    with tenant_scope(acme.tenant.ref):
        assert set(ChainHead.objects.values_list("chain", flat=True)) == {acme.tenant.id}
        assert set(AuditLink.objects.values_list("chain", flat=True)) == {acme.tenant.id}
        for table in ("audit_chainhead", "audit_auditlink", "audit_waitingentry"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                connection.cursor().execute(f"DELETE FROM {table}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_auditlink SET hash = digest",
        "DELETE FROM audit_auditlink",
        "TRUNCATE audit_auditlink",
        "UPDATE audit_chainhead SET sequence = sequence - 1",
        "UPDATE audit_chainhead SET hash = 'x'",
        "DELETE FROM audit_chainhead",
        "TRUNCATE audit_chainhead",
    ],
)
def test_links_stay_and_heads_move_forward_only(hooli: str, change: str) -> None:
    with pytest.raises(ProgrammingError, match=r"append-only|permission denied"):
        connection.cursor().execute(change)


@pytest.mark.django_db
def test_a_head_that_we_did_not_sign_is_not_extended_until_somebody_vouches_for_it(hooli: str) -> None:
    other = new_ulid()
    tamper(f"UPDATE audit_chainhead SET hash = repeat('0', 64) WHERE chain = '{hooli}'")
    write(hooli, 2)
    write(other, 1)
    assert api.seal_waiting(now=utc_now()) == 1
    assert api.seal_waiting(now=utc_now()) == 0
    head = ChainHead.objects.get(pk=hooli)
    assert (head.frozen, head.sequence, api.waiting_count(hooli)) == (True, 8, 2)
    assert "no signature of ours" in head.fault
    with pytest.raises(InvalidInput):
        adopt_chain(chain=hooli, reason=" ", acting=TESTER, now=utc_now())
    with pytest.raises(NotFound):
        adopt_chain(chain=new_ulid(), reason="restored", acting=TESTER, now=utc_now())
    adopt_chain(chain=hooli, reason="restored", acting=TESTER, now=utc_now())
    assert api.seal_waiting(now=utc_now()) == 3
    assert the_entry(action="audit.adopt_chain", tenant_id=hooli).reason == "restored"


@pytest.mark.django_db
def test_what_waits_without_its_entry_holds_nobody_up(hooli: str) -> None:
    write(hooli, 3)
    tamper(
        f"DELETE FROM audit_auditentry WHERE tenant_id = '{hooli}' AND id IN (SELECT entry_id FROM audit_waitingentry)"
    )
    write(hooli, 1)
    assert api.seal_waiting(now=utc_now(), batch=2) == 1
    assert api.waiting_count(hooli) == 3


def test_a_new_signing_key_leaves_the_signatures_of_the_old_one_good(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LUMOS_SECRETS_FILE", str(tmp_path / "secrets.json"))
    secrets.cache_clear()
    try:
        old = sign_head(chain="platform", sequence=1, hash="h", sealed_at=utc_now())
        secrets().get("audit_signing_key_current", lambda: "2")
        new = sign_head(chain="platform", sequence=2, hash="h", sealed_at=utc_now())
        assert old.key_id != new.key_id
        assert set(public_keys()) == {old.key_id, new.key_id}
        assert has_valid_signature(old)
        assert has_valid_signature(new)
        assert not has_valid_signature(new, {old.key_id: public_keys()[old.key_id]})
        assert not has_valid_signature(new, {new.key_id: public_keys()[old.key_id]})
    finally:
        secrets.cache_clear()


@pytest.mark.django_db
def test_an_entry_of_no_month_we_have_is_refused() -> None:
    with pytest.raises(DatabaseError, match="no partition"), transaction.atomic():
        AuditEntry.objects.create(
            at=datetime(1999, 1, 1, tzinfo=UTC),
            actor_kind="system",
            actor_id="x",
            actor_label="x",
            action="x",
            target="x",
        )
