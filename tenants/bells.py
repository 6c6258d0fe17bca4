"""Asks a worker to run one of this app's tasks now; knows their names only, so that who rings need not load them."""

from __future__ import annotations

import time

import structlog
from celery import current_app
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


class _Bell:
    """Rings at most once in a gap: a burst of new jobs asks once."""

    def __init__(self, task: str, gap: float) -> None:
        self._task, self._gap, self._silent_until = task, gap, 0.0

    def ring(self) -> None:
        if time.monotonic() < self._silent_until:
            return
        self._silent_until = time.monotonic() + self._gap
        try:
            current_app.send_task(self._task, retry=False, expires=10)
        except OperationalError as error:
            log.warning("tenants.task.not_woken", task=self._task, error=str(error)[:200])


_jobs = _Bell("tenants.run_jobs", 0.2)
_webhooks = _Bell("tenants.deliver_webhooks", 0.2)


def wake() -> None:
    """Have a worker look for due jobs now. Never raises: beat asks every two seconds anyway."""
    _jobs.ring()


def wake_webhooks() -> None:
    """Have a worker deliver what is due now. Never raises, for the same reason."""
    _webhooks.ring()
