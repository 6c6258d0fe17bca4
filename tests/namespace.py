"""A Redis namespace for each xdist worker; a plugin, because Django's set-up reads it before any conftest."""

from __future__ import annotations

import os

worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["LUMOS_REDIS_NAMESPACE"] = f"lumos-test-{worker}"
