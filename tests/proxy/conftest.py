"""What most tests of the gateway start from: a published world and its credentials."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.world import World, make_world


@pytest.fixture
def world(redis: Any) -> World:
    return make_world()
