"""Which workers start and which go; how long a crash loop waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.backends.local.crashes import LONGEST_PAUSE, STABLE_SECONDS, Crashes
from scaling.backends.local.reconcile import Facts, Moves, moves
from scaling.data import WorkerStatus


def fact(pid: int, status: WorkerStatus, since: float = 0.0) -> Facts:
    return Facts((pid, 1.0), status, since)


def test_too_few_are_topped_up_and_a_draining_worker_does_not_count():
    workers = [fact(1, WorkerStatus.IDLE), fact(2, WorkerStatus.DRAINING)]
    assert moves(3, workers) == Moves(start=2)


def test_enough_are_left_alone():
    assert moves(1, [fact(1, WorkerStatus.BUSY)]) == Moves()


def test_victims_are_the_newest_starting_then_the_longest_idle_then_the_youngest_task():
    workers = [
        fact(1, WorkerStatus.BUSY, 10),
        fact(2, WorkerStatus.BUSY, 20),
        fact(3, WorkerStatus.IDLE, 30),
        fact(4, WorkerStatus.IDLE, 5),
        fact(5, WorkerStatus.STARTING, 40),
        fact(6, WorkerStatus.STARTING, 41),
    ]
    order = [pid for pid, _ in moves(0, workers).drain]
    assert order == [6, 5, 4, 3, 2, 1]


statuses = st.sampled_from(list(WorkerStatus))


@given(st.integers(0, 8), st.lists(st.tuples(statuses, st.floats(0, 100)), max_size=8))
def test_the_moves_always_lead_to_the_wanted_number(wanted, rows):
    workers = [fact(pid, status, since) for pid, (status, since) in enumerate(rows)]
    live = sum(worker.status is not WorkerStatus.DRAINING for worker in workers)
    made = moves(wanted, workers)
    assert live + made.start - len(made.drain) == wanted
    assert not (made.start and made.drain)
    drained = {worker.identity: worker for worker in workers}
    assert all(drained[identity].status is not WorkerStatus.DRAINING for identity in made.drain)


def test_each_death_in_a_row_doubles_the_pause_up_to_a_limit():
    crashes, pauses = Crashes(), []
    for _ in range(9):
        crashes = crashes.after_death(0.5, now=100)
        pauses.append(crashes.retry_in(100))
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert crashes.retry_in(1000) == 0


@pytest.mark.parametrize("lived", [STABLE_SECONDS, STABLE_SECONDS * 10])
def test_the_death_of_a_worker_that_was_stable_begins_a_new_row(lived):
    assert Crashes(7, 0).after_death(lived, now=0) == Crashes(1, 1.0)


def test_a_worker_that_stays_up_ends_the_row():
    assert Crashes(3, 50).after_ready(STABLE_SECONDS - 1) == Crashes(3, 50)
    assert Crashes(3, 50).after_ready(STABLE_SECONDS) == Crashes()
