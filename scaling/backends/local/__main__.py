"""`python -m scaling.backends.local`: the agent as a process of its own, without Django."""

from __future__ import annotations

import os
import sys

from core.logging import configure
from core.redis import control
from scaling.backends.local.agent import Agent, AgentRunning
from scaling.conf import local_settings


def main() -> int:
    """Run until told to stop. Returns the exit code: 1 when another agent runs here."""
    configure(as_json=os.environ.get("LUMOS_LOG_JSON") == "1")
    try:
        Agent(control(), local_settings()).run()
    except AgentRunning as error:
        print(f"{error}. Stop it first; its pid is in the report in Redis.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
