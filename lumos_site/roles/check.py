"""What must hold before a role serves, asked once per start: the schema is at head, and the limits do limit."""

from __future__ import annotations

import redis

from core.errors import Unavailable
from core.redis import control
from lumos_site.roles import BEHIND, UNLIMITED
from quotas.api import self_test
from tenants.api import schemas_behind


def main(*options: str) -> int:
    """The exit code. Option `schema`: ask the database too, which the gateway has none of."""
    behind = schemas_behind() if "schema" in options else []
    if behind:
        print(f"{len(behind)} schemas lack migrations, the first is {behind[0]}")
        return BEHIND
    try:
        faults = self_test(control())
    except (Unavailable, redis.RedisError) as error:
        faults = [f"The limiter could not be tested: {error}"]
    for fault in faults:
        print(fault)
    return UNLIMITED if faults else 0
