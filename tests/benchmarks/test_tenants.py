"""The benchmarks of creating tenants and of many of them run on these servers and print each figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from benchmarks import fleet, tenants
from tests.children import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]


def figures_of(module: str, effort: fleet.Effort | tenants.Effort) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", module, json.dumps(asdict(effort))],
        env={**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return {row["name"]: row for row in json.loads(ended.stdout.splitlines()[-1])}


def test_the_benchmark_creates_tenants_one_by_one_and_together() -> None:
    effort = tenants.Effort(singles=3, callers=4, together=8, schemas=12, processes=2)
    figures = figures_of("benchmarks.tenants_inside", effort)
    assert len(figures) == 10
    assert figures["Tenants without a schema, role or key of their own"]["values"] == [0.0]
    assert all(row["values"][0] > 0 for name, row in figures.items() if row["unit"])


def test_the_benchmark_of_many_tenants_asks_migrates_and_dumps() -> None:
    figures = figures_of("benchmarks.fleet_inside", fleet.Effort(tenants=4, times=2))
    assert len(figures) == 13
    assert all(value > 0 for row in figures.values() for value in row["values"])
