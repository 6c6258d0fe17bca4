"""The benchmark of creating tenants runs on these servers, finds nothing wrong and prints each figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from benchmarks.tenants import Effort
from tests.children import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]


def test_the_benchmark_creates_tenants_one_by_one_and_together() -> None:
    effort = Effort(singles=3, callers=4, together=8, schemas=12, processes=2)
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.tenants_inside", json.dumps(asdict(effort))],
        env={**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr
    figures = {row["name"]: row for row in json.loads(ended.stdout.splitlines()[-1])}
    assert len(figures) == 10
    assert figures["Tenants without a schema, role or key of their own"]["values"] == [0.0]
    assert all(row["values"][0] > 0 for name, row in figures.items() if row["unit"])
