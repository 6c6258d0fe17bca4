"""One running installation for all end-to-end tests of a worker, and a maker of others for those that break them.

They end with this folder's tests: nobody else's should share the machine with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browsing import chromium
from tests.e2e.crashing import ENVIRONMENT, CrashingLumos
from tests.e2e.installation import Installation, open_for_the_servers
from tests.e2e.traffic import Clients, clients_of


@pytest.fixture(scope="package")
def running_lumos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`./lumos up` on an empty var/: base_url, operator, logins, api_keys, env, pids. Do not kill its supervisor."""
    installation = Installation(open_for_the_servers(tmp_path_factory.mktemp("var")), measured=True)
    try:
        installation.start()
        yield installation
    finally:
        installation.end()


@pytest.fixture(scope="package")
def crashing_lumos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashingLumos]:
    """One with two web processes, short leases and tenants of its own, whose parts may be killed."""
    var = open_for_the_servers(tmp_path_factory.mktemp("crashes"))
    started = CrashingLumos(Installation(var, "--workers", "2", **ENVIRONMENT))
    try:
        started.start()
        yield started
    finally:
        started.installation.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def lumos(crashing_lumos: CrashingLumos) -> CrashingLumos:
    """`crashing_lumos` with everything up, whatever the test before did to it."""
    crashing_lumos.wait_until_whole()
    return crashing_lumos


@pytest.fixture
def clients(lumos: CrashingLumos) -> Iterator[Clients]:
    with clients_of(lumos.installation.port) as made:
        yield made


@pytest.fixture
def make_installation(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Installations of one's own, not started yet; ended after the test."""
    made: list[Installation] = []

    def make(*options: str, **environment: str) -> Installation:
        var = tmp_path / f"var{len(made)}"
        var.mkdir()
        made.append(Installation(open_for_the_servers(var), *options, **environment))
        return made[-1]

    yield make
    for each in made:
        each.end()
