"""Beat's entry points into the mail app."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask
from mail import services


@shared_task(base=PlatformTask, name="mail.send_waiting", ignore_result=True)
def send_waiting() -> int:
    return services.send_waiting(now=utc_now())


@shared_task(base=PlatformTask, name="mail.prune", ignore_result=True)
def prune() -> int:
    return services.prune_mail(now=utc_now())
