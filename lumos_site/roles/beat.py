"""Celery beat; owns no schedule."""

from __future__ import annotations

from importlib import import_module

from core.tenancy import enter_platform_process
from lumos_site.celery import app
from lumos_site.roles.scheduler import BeatingScheduler

app.loader.import_default_modules()
import_module("celery.apps.beat")  # named by a string there, and loaded by each fork otherwise


def main() -> None:
    enter_platform_process()  # the schedule is in shared tables; beat reads it before it sends its first signal
    app.Beat(scheduler=f"{BeatingScheduler.__module__}:{BeatingScheduler.__name__}", loglevel="INFO", quiet=True).run()
