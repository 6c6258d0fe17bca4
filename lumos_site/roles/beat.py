"""Celery beat with a heartbeat from inside its loop; owns no schedule."""

from __future__ import annotations

from typing import Any

import django
from django_celery_beat.schedulers import DatabaseScheduler

from lumos_site.roles.gate import tell_ready, wait_at_gate
from lumos_site.roles.heartbeat import Heartbeat


class BeatingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The schedule in the database, proving with each turn of the loop that it turns."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._heartbeat = Heartbeat("beat")
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        pause = super().tick(*args, **kwargs)
        self._heartbeat.beat()
        tell_ready()
        return pause


def main() -> None:
    django.setup()
    from lumos_site.celery import app

    app.loader.import_default_modules()
    wait_at_gate()
    app.Beat(scheduler=BeatingScheduler, loglevel="INFO", quiet=True).run()


if __name__ == "__main__":
    main()
