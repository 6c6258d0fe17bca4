"""One estate for all tests of a file, because building it takes longer than a test; no test leaves anything in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.redis import control, namespace
from core.tenancy.context import PLATFORM, set_scope
from tests.isolation.callers import undone
from tests.isolation.estate import Estate, settle


@pytest.fixture(scope="module")
def standing(django_db_setup: None, django_db_blocker: Any) -> Iterator[Estate]:
    """The tests themselves are marked with django_db, which takes back what each of them wrote."""
    set_scope(PLATFORM)
    with django_db_blocker.unblock(), undone():
        _forget_redis()
        yield settle()
    _forget_redis()


def _forget_redis() -> None:
    if keys := list(control().scan_iter(f"{namespace()}:*", count=1000)):
        control().delete(*keys)
