"""The floor under the tests: what counts as reached, in which processes, and what is said when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.conf import ROOT
from lumos_site.devtools.coverage_floor import Floor, Reached, floor, measuring, reached_lines, share_of
from lumos_site.devtools.test import is_whole
from tests.contracts.test_house_rules import ROOMS

# Four ways to end, and a module that is imported in each of them only.
_PROCESSES = """
import os, signal, subprocess, sys
started = subprocess.Popen([sys.executable, "-c", "import core.money"])
if os.fork() == 0:
    import core.ids
    os._exit(0)
terminated = os.fork()
if terminated == 0:
    import core.clock
    os.kill(os.getpid(), signal.SIGTERM)
started.wait(), os.wait(), os.wait()
import core.address
"""


def test_lines_count_whichever_process_ran_them_and_however_it_ended(tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    environment = {**os.environ, **measuring(folder), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", _PROCESSES], cwd=tmp_path, env=environment, check=True, timeout=60)
    reached = {each.file: each for each in reached_lines(folder, ["core"])}
    ran = {name for name, each in reached.items() if len(each.missed) < each.lines}
    assert {"core/money.py", "core/ids.py", "core/clock.py", "core/address.py"} <= ran
    assert "core/attempts.py" in reached
    assert "core/attempts.py" not in ran
    assert reached["core/money.py"].missed
    assert not any("migrations" in name for name in reached)


def test_the_floor_is_that_of_the_project() -> None:
    wanted = floor()
    assert wanted.share >= 90
    assert {"core", "portal", "lumos_site", *ROOMS} <= set(wanted.apps)
    assert [file for file in wanted.pure if not (ROOT / file).is_file()] == []


FLOOR = Floor(("shop", "till"), 90, ("till/sums.py",))


@pytest.mark.parametrize(("missed", "passes"), [((1,), True), ((1, 2), False)])
def test_an_app_has_to_reach_its_share(missed: tuple[int, ...], passes: bool) -> None:
    reached = [Reached("shop/a.py", 4), Reached("shop/b.py", 6, missed), Reached("till/sums.py", 3)]
    assert share_of("shop", reached) == pytest.approx(100 - 10 * len(missed))
    complaints = FLOOR.complaints(reached)
    assert complaints == (
        [] if passes else ["shop: 80.0 % of its lines ran and 90 % must; above all", "  shop/b.py: 1-2"]
    )


def test_a_pure_module_has_to_reach_every_line_and_to_exist() -> None:
    reached = [Reached("till/sums.py", 400, (3, 4, 5, 9)), Reached("till/empty.py", 0)]
    assert FLOOR.complaints(reached) == [
        "every line of a pure module must run, and these did not: till/sums.py: 3-5, 9"
    ]
    assert FLOOR.complaints([]) == ["till/sums.py: is listed as pure in pyproject.toml, and there is no such file"]


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ([], True),
        (["-q", "-vv", "-n4", "-rfE", "--durations=20", "--tb=short"], True),
        (["tests/core"], False),
        (["-k", "money"], False),
        (["-x"], False),
        (["--deselect=tests/e2e"], False),
        (["-mnot e2e"], False),
    ],
)
def test_only_a_run_that_leaves_nothing_out_is_judged(arguments: list[str], whole: bool) -> None:
    assert is_whole(arguments) is whole
