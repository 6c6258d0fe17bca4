"""Celery beat; owns no schedule."""

from __future__ import annotations

import django

from core.tenancy import enter_platform_process
from lumos_site.roles.gate import wait_at_gate


def main() -> None:
    django.setup()
    from lumos_site.celery import app
    from lumos_site.roles.scheduler import BeatingScheduler

    app.loader.import_default_modules()
    wait_at_gate()
    enter_platform_process()  # the schedule is in shared tables; beat reads it before it sends its first signal
    app.Beat(scheduler=f"{BeatingScheduler.__module__}:{BeatingScheduler.__name__}", loglevel="INFO", quiet=True).run()


if __name__ == "__main__":
    main()
