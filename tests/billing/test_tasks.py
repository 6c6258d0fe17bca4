"""Beat's tasks do what their names say, in the platform's scope, and each is on the schedule."""

from __future__ import annotations

from dataclasses import replace

import redis as redis_library

from billing import tasks
from billing.conf import SCHEDULE
from billing.data import UsageFact
from core.clock import utc_now
from core.tenancy import clear_scope
from tests.billing.facts import facts_of, milliseconds, send
from tests.cast import Player


def test_every_task_is_scheduled() -> None:
    own = {tasks.ingest, tasks.make_partitions, tasks.prove_recent_rollups}
    assert {name for _, name, _ in SCHEDULE} == {task.name for task in own}


def test_the_tasks_take_in_usage_and_find_the_sums_in_order(stream: redis_library.Redis, paying: Player) -> None:
    (fact,) = facts_of(paying.tenant.id, (10, 0, 5))
    recent: UsageFact = replace(fact, occurred_at_ms=milliseconds(utc_now()))
    send(recent)
    with clear_scope():
        assert tasks.ingest() == 1
        assert tasks.ingest() == 0
        assert tasks.prove_recent_rollups() == 0
        assert len(tasks.make_partitions()) == 3
        assert tasks.make_partitions() == []
