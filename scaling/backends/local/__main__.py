"""`python -m scaling.backends.local`: the agent as a process of its own, without Django."""

from __future__ import annotations

import os
import sys

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.logging import configure
from core.redis import redis_url
from scaling.backends.local.agent import Agent, AgentRunning
from scaling.conf import local_settings


def main() -> int:
    """Run until told to stop. Returns the exit code: 1 when another agent runs here."""
    configure(as_json=os.environ.get("LUMOS_LOG_JSON") == "1")
    # No retries of its own: while Redis is away the agent must still see its workers and its signals each second.
    client = redis.Redis.from_url(redis_url(), socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        Agent(client, local_settings()).run()
    except AgentRunning as error:
        print(f"{error}. Stop it first; its pid is in the report in Redis.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
