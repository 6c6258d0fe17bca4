"""A Redis database, namespace and group of tenants' roles for each xdist worker: a plugin, since Django's set-up reads
them before any conftest. With one group a test that makes tenants would hold up the other worker's until it ends.

Some tests empty their database: what another worker keeps must not go with it. What holds up a whole server
(CLIENT PAUSE, SIGSTOP) belongs to a test with a server of its own, `tests.valkey.own_server`.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["LUMOS_REDIS_NAMESPACE"] = f"lumos-test-{worker}"
os.environ["LUMOS_TENANT_GROUP"] = f"lumos_tenant_{worker}"
if worker.startswith("gw") and "REDIS_URL" in os.environ:
    number = 1 + int(worker.removeprefix("gw")) % 15  # a server has 16
    os.environ["REDIS_URL"] = urlunsplit(urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}"))
