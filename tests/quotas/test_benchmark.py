"""The benchmark of quota decisions runs, prints every figure and removes what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys

from core.redis import redis_url


def test_the_benchmark_measures_and_leaves_nothing_behind(redis) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.quota_decision", "--calls", "40", "--callers", "5"],
        env={**os.environ, "REDIS_URL": redis_url()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    figures = [line for line in ended.stdout.splitlines() if line.startswith(("5 dimensions", "the same"))]
    assert len(figures) == 6
    assert list(redis.scan_iter("lumos-bench-quotas:*")) == []
