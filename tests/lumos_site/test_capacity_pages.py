"""Capacity in the operators' admin: the page of everything, pools and allocations by form and by button."""

from __future__ import annotations

from typing import Any

import pytest
import redis as redis_library
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from core.clock import utc_now
from tenants.api import OperatorRole, ResourceAllocator, ResourceAmounts, ResourceKind, Tenant, add_pool
from tenants.models import Allocation, CapacityPool
from tests.cast import TESTER, Operator, Player, found_olivia

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(olivia: Operator, redis: redis_library.Redis) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def gpus(capacity: int) -> CapacityPool:
    kind = ResourceKind.GPUS
    return add_pool(region="local", name="rack-7", kind=kind, capacity=capacity, acting=TESTER, now=utc_now())


def ask(tenant: Tenant, amount: int, key: str = "training") -> Allocation:
    return ResourceAllocator.allocate(
        tenant_id=tenant.id, request_key=key, amounts=ResourceAmounts(gpus=amount), acting=TESTER, now=utc_now()
    )


def page(name: str, *args: object) -> str:
    return reverse(f"admin:tenants_{name}", args=args)


def choose(browser: Client, action: str, row: Allocation) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk]}
    assert browser.post(page("allocation_changelist"), chosen).status_code == 200
    return browser.post(page("allocation_changelist"), {**chosen, "confirmed": "1"}, follow=True)


def test_the_page_of_everything_shows_bars_who_waits_and_why(browser: Client, acme: Player, globex: Player) -> None:
    gpus(2)
    ask(acme.tenant, 2)
    ask(globex.tenant, 1)
    html = browser.get(page("capacitypool_overview")).content.decode()
    assert 'class="lumos-over" style="width: 100%"' in html
    assert "1 allocation waits" in html
    assert "Waits, too little GPUs: rack-7 is 1 short." in html
    assert "Globex · training" in html
    assert "differs from what is held" not in html
    CapacityPool.objects.update(used=1)
    assert "The count of 1 pool differs" in browser.get(page("capacitypool_overview")).content.decode()


def test_without_a_pool_the_page_says_that_nothing_is_rationed(browser: Client) -> None:
    html = browser.get(page("capacitypool_overview")).content.decode()
    assert "nothing is rationed" in html
    assert "Everybody has what was asked for." in html


def test_a_pool_is_added_resized_and_never_made_too_small_by_form(browser: Client, acme: Player) -> None:
    form = {"region": "local", "name": "rack-7", "kind": "gpus", "capacity": "2", "oversubscription": "1"}
    browser.post(page("capacitypool_add"), {**form, "accepting": "on"})
    pool = CapacityPool.objects.get()
    assert (pool.capacity, pool.accepting) == (2, True)
    ask(acme.tenant, 2)
    change = page("capacitypool_change", pool.pk)
    browser.post(change, {"capacity": "3", "oversubscription": "2.5"})
    pool.refresh_from_db()
    assert (pool.limit, pool.accepting) == (7, False)
    browser.post(change, {"capacity": "1", "oversubscription": "1"}, follow=True)
    pool.refresh_from_db()
    assert pool.capacity == 3
    actions = AuditEntry.objects.filter(actor_label="olivia", action__startswith="capacity.").values_list("action")
    assert [action for (action,) in actions.order_by("id")] == ["capacity.add_pool", "capacity.change_pool"]


def test_an_empty_pool_is_deleted_and_a_used_one_is_not(browser: Client, acme: Player) -> None:
    pool = gpus(2)
    row = ask(acme.tenant, 1)
    browser.post(page("capacitypool_delete", pool.pk), {"post": "yes"})
    assert CapacityPool.objects.exists()
    ResourceAllocator.release(tenant_id=acme.tenant.id, allocation_id=row.pk, acting=TESTER, now=utc_now())
    browser.post(page("capacitypool_delete", pool.pk), {"post": "yes"})
    assert not CapacityPool.objects.exists()
    assert AuditEntry.objects.filter(action="capacity.remove_pool", actor_label="olivia").exists()


def test_resources_are_given_and_resized_by_form(browser: Client, acme: Player) -> None:
    gpus(5)
    amounts = {"cpu_millicores": "0", "memory_mib": "0", "storage_mib": "0", "worker_slots": "0"}
    form = {"tenant": acme.tenant.pk, "request_key": "extra", "priority": "0", **amounts}
    browser.post(page("allocation_add"), {**form, "gpus": "2"})
    row = Allocation.objects.get()
    assert (row.state, row.region, row.gpus) == ("HELD", "local", 2)
    browser.post(page("allocation_change", row.pk), {**amounts, "gpus": "5"})
    row.refresh_from_db()
    assert (row.state, row.gpus, CapacityPool.objects.get().used) == ("HELD", 5, 5)
    html = browser.get(page("allocation_change", row.pk)).content.decode()
    assert "GPUs 5 (rack-7)" in html
    assert browser.post(page("allocation_delete", row.pk), {"post": "yes"}).status_code == 403


def test_buttons_release_move_up_and_try_again(browser: Client, acme: Player, globex: Player) -> None:
    gpus(2)
    held = ask(acme.tenant, 2)
    first, second = ask(globex.tenant, 2, "first"), ask(globex.tenant, 2, "second")
    choose(browser, "move_up_selected", second)
    choose(browser, "retry_selected", second)
    choose(browser, "release_selected", held)
    for row in (held, first, second):
        row.refresh_from_db()
    assert (held.state, first.state, second.state) == ("RELEASED", "WAITING", "HELD")
    for button in ("release_one", "move_up_one", "retry_one"):
        assert browser.get(page(f"allocation_{button}", first.pk)).status_code == 200
    browser.post(page("allocation_move_up_one", first.pk), {"confirmed": "1"})
    said = choose(browser, "move_up_selected", second)
    assert "does not wait" in " ".join(str(message) for message in said.context["messages"])
    done = {entry.action for entry in AuditEntry.objects.filter(actor_label="olivia")}
    assert done >= {"capacity.release", "capacity.move_up", "capacity.retry"}


def test_lists_are_filtered_by_whether_they_have_it(browser: Client, acme: Player) -> None:
    gpus(1)
    ask(acme.tenant, 1)
    ask(acme.tenant, 1, "more")
    lists = {held: browser.get(page("allocation_changelist"), {"held": held}) for held in ("waiting", "held")}
    assert [row.request_key for row in lists["waiting"].context_data["cl"].result_list] == ["more"]
    assert [row.request_key for row in lists["held"].context_data["cl"].result_list] == ["training"]


def test_billing_operators_have_no_page_of_it_and_readers_cannot_release(
    redis: redis_library.Redis, acme: Player
) -> None:
    gpus(1)
    row = ask(acme.tenant, 1)
    for role, seen in ((OperatorRole.BILLING, 403), (OperatorRole.READ_ONLY, 200)):
        User.objects.filter(username="olivia").delete()
        client = Client(HTTP_HOST="localhost")
        client.force_login(found_olivia(role).user)
        assert client.get(page("capacitypool_overview")).status_code == seen
        assert client.get(page("allocation_release_one", row.pk)).status_code == 403


def test_a_host_is_reserved_by_the_form_of_one_of_its_pools(browser: Client, acme: Player) -> None:
    pool = gpus(2)
    other = add_pool(
        region="local", name="rack-7", kind=ResourceKind.MEMORY_MIB, capacity=9, acting=TESTER, now=utc_now()
    )
    form = {"capacity": "2", "oversubscription": "1", "accepting": "on", "reserved_for": acme.tenant.pk}
    browser.post(page("capacitypool_change", pool.pk), form)
    other.refresh_from_db()
    assert other.reserved_for_id == acme.tenant.pk
    assert "Acme" in browser.get(page("capacitypool_changelist")).content.decode()
    assert ">reserved<" in browser.get(page("capacitypool_overview")).content.decode()
    browser.post(page("capacitypool_change", pool.pk), {**form, "reserved_for": ""})
    other.refresh_from_db()
    assert other.reserved_for_id is None
