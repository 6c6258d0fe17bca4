"""The benchmark of the start reads what a start prints, and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.start import Start, StartFailed, figures, read_times
from core.conf import ROOT
from lumos_site.supervisor.timing import StartTime, timing_table
from tests.e2e.installation import open_for_the_servers


def test_the_times_are_read_from_the_words_at_the_end_of_a_start() -> None:
    table = timing_table([StartTime("web", 10.0, 11.25)], 9.0, 12.5)
    assert read_times([*table, "  first page after 2.25 s"]) == (2.25, 3.5)


def test_a_start_that_failed_is_shown_and_not_counted() -> None:
    with pytest.raises(StartFailed, match=r"Port 8000 on 127\.0\.0\.1 is in use"):
        read_times(["lumos: Port 8000 on 127.0.0.1 is in use; stop what listens there"])


def test_the_median_of_cold_and_of_warm_starts_is_held_against_its_own_goal() -> None:
    cold, warm = Start(11.0, 13.0, 9.0, 100.0, 300.0), Start(3.5, 4.0, 3.0, 100.0, 300.0)
    met = {figure.name: figure.met for figure in figures({"cold": [cold], "warm": [warm]})}
    assert met["First page, empty var/"] is True
    assert met["First page, warm"] is False
    assert met["Resident memory of the web process"] is True


@pytest.mark.e2e
def test_the_benchmark_starts_the_product_cold_and_warm_and_leaves_nothing(tmp_path: Path) -> None:
    place = open_for_the_servers(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "start", "--runs", "1"],
        env={**os.environ, "TMPDIR": str(place)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode in (0, 3), ended.stderr
    for name in ("First page, empty var/", "First page, warm", "CPU of all processes, warm"):
        assert name in ended.stdout
    assert list(place.glob("lumos-start-*")) == []
