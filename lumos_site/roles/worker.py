"""The platform's Celery worker; owns its command line and heartbeat, no tasks."""

from __future__ import annotations

import os
import warnings
from typing import Any

import django
from celery.exceptions import SecurityWarning
from celery.signals import worker_ready

from lumos_site.roles.gate import tell_ready, wait_at_gate
from lumos_site.roles.heartbeat import Heartbeat
from lumos_site.supervisor.heartbeats import EVERY_SECONDS


@worker_ready.connect
def _start_heartbeat(sender: Any, **_: Any) -> None:
    """`sender` is the consumer: it is connected to the broker and reads its queues."""
    heartbeat = Heartbeat("worker")
    heartbeat.beat()
    sender.timer.call_repeatedly(EVERY_SECONDS, heartbeat.beat)
    tell_ready()


def main() -> None:
    django.setup()
    from lumos_site.celery import app

    app.loader.import_default_modules()
    wait_at_gate()
    concurrency = os.environ.get("LUMOS_WORKER_CONCURRENCY", "2")
    identity = ("-Q", "control", "-c", concurrency, "-n", f"control-{os.getpid()}@%h")
    # Mingling would wait a second for other workers, who tell this one nothing that it needs.
    warnings.simplefilter("ignore", SecurityWarning)  # root is an ordinary user of one machine, see the launcher
    app.worker_main(
        ["--quiet", "worker", *identity, "-l", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    )


if __name__ == "__main__":
    main()
