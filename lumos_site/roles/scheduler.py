"""The schedule in the database, proving with each turn of its loop that it turns; importable after django.setup()."""

from __future__ import annotations

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from lumos_site.roles.gate import tell_ready
from lumos_site.roles.heartbeat import Heartbeat


class BeatingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """Ready after the first turn: schedule read, due tasks sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._heartbeat = Heartbeat("beat")
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        pause = super().tick(*args, **kwargs)
        self._heartbeat.beat()
        tell_ready()
        return pause
