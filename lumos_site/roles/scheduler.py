"""The schedule in the database, proving with each turn of its loop that it turns; importable after django.setup()."""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django_celery_beat.schedulers import DatabaseScheduler

from core.outage_log import is_news
from core.outages import DatabaseAway
from lumos_site.roles.heartbeat import Heartbeat
from lumos_site.roles.notes import tell_ready

log = structlog.get_logger(__name__)
ASK_EVERY_SECONDS = 1.0


class BeatingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """Ready after the first turn: schedule read, due tasks sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._heartbeat = Heartbeat("beat")
        self._ask_again_at = 0.0
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        pause = super().tick(*args, **kwargs)
        self._heartbeat.beat()
        tell_ready()
        return pause

    def schedule_changed(self) -> bool:
        """Asked for every entry of every turn. Once a second is enough, and while the database is away the schedule
        in memory goes on, with one line instead of a traceback for every question."""
        if time.monotonic() < self._ask_again_at:
            return False
        self._ask_again_at = time.monotonic() + ASK_EVERY_SECONDS
        try:
            close_old_connections()
            connection.ensure_connection()
        except (DatabaseError, InterfaceError) as error:
            if is_news(DatabaseAway()):
                log.warning("lumos_site.beat.schedule_not_read", error=str(error).partition("\n")[0])
            return False
        return bool(super().schedule_changed())
