"""Single-use tokens across processes: of two that use one at the same moment one wins, and a kill wastes none."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.clock import utc_now
from tenants.models import ApiSession, Impersonation, Membership
from tenants.services.impersonation import begin_impersonation
from tenants.services.opened_sessions import open_api_session, renew_api_session
from tests.cast import TESTER, found_acme, found_olivia
from tests.children import run_child

pytestmark = [
    pytest.mark.faults,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed", "redis"),
]
REFRESH = """
from tenants.services.opened_sessions import renew_api_session
from datetime import datetime
renew_api_session(token="{token}", address="127.0.0.1", now=datetime.fromisoformat("{now}"))
"""
ENTER = """
from tenants.api import enter_impersonation
enter_impersonation(tenant_id="{tenant}", token="{token}", now=utc_now())
"""


def opened() -> str:
    member = Membership.objects.get(tenant=found_acme().tenant)
    return open_api_session(membership_id=member.id, name="", address="", acting=TESTER, now=utc_now()).refresh_token


def test_two_processes_that_renew_at_the_same_moment_get_one_pair_and_keep_the_session() -> None:
    body = REFRESH.format(token=opened(), now=utc_now().isoformat())
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _number: run_child(body), range(2)))
    assert sorted(child.returncode for child in ended) == [0, 1]
    assert "RefreshTokenUsed" in "".join(child.stderr for child in ended)
    assert ApiSession.objects.get().ended_at is None


def test_a_process_that_is_killed_while_it_renews_leaves_the_old_token_good() -> None:
    token = opened()
    killed = run_child(REFRESH.format(token=token, now=utc_now().isoformat()), faults="tenants.sessions.renewed")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert renew_api_session(token=token, address="127.0.0.1", now=utc_now()).refresh_token != token


def test_a_process_that_is_killed_while_an_operator_comes_in_leaves_the_link_good_for_once() -> None:
    acme, olivia = found_acme(), found_olivia()
    _row, token = begin_impersonation(
        tenant_id=acme.tenant.id,
        operator=olivia.user,
        session_key="x",
        membership_id="",
        reason="a wrong bill",
        acting=TESTER,
        now=utc_now(),
    )
    body = ENTER.format(tenant=acme.tenant.id, token=token)
    assert run_child(body, faults="tenants.impersonation.entered").returncode == -signal.SIGKILL
    assert Impersonation.objects.get().entered_at is None
    assert run_child(body).returncode == 0
    assert "HandoverInvalid" in run_child(body).stderr
