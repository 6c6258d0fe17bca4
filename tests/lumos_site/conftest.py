"""The little supervisor, for the tests of what supervises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lumos_site.test_supervisor import Little


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Callable[..., Little]]:
    made: list[Little] = []

    def make(*components: str) -> Little:
        made.append(Little(tmp_path, *components))
        return made[-1]

    yield make
    for each in made:
        with suppress(ProcessLookupError):
            each.process.kill()
        each.process.communicate()
