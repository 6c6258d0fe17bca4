"""The platform's Celery worker; owns its command line and heartbeat, no tasks."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from celery.utils.nodenames import default_nodename

from lumos_site.celery import app
from lumos_site.roles.heartbeat import Heartbeat
from lumos_site.roles.notes import tell_ready
from lumos_site.supervisor.heartbeats import EVERY_SECONDS

app.loader.import_default_modules()
# Celery names these by strings and would load them when the worker starts, once for each fork.
for _name in ("celery.apps.worker", "celery.worker.components", "celery.worker.consumer", "celery.concurrency.prefork"):
    import_module(_name)


@worker_ready.connect
def _start_heartbeat(sender: Any, **_: Any) -> None:
    """`sender` is the consumer: it is connected to the broker and reads its queues."""
    heartbeat = Heartbeat("worker")
    heartbeat.beat()
    sender.timer.call_repeatedly(EVERY_SECONDS, heartbeat.beat)
    tell_ready()


def main() -> int:
    """What `celery worker` does, without its command line, which loads an interactive shell."""
    warnings.simplefilter("ignore", SecurityWarning)  # root is an ordinary user of one machine, see the launcher
    worker = app.Worker(
        hostname=default_nodename(f"control-{os.getpid()}@%h"),
        queues=["control"],
        concurrency=int(os.environ.get("LUMOS_WORKER_CONCURRENCY", "2")),
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,  # would wait a second for other workers, who tell this one nothing that it needs
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
