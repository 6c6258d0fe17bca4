"""The Celery application: queues, and the schedule that the rooms declare."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.worker")

from core.redis import answer_seconds, connect_seconds, namespace, redis_url

ROOMS = ("audit", "mail", "tenants", "quotas", "billing", "scaling", "proxy")


def broker_settings(url: str) -> dict[str, Any]:
    """How to reach the broker. Who sends a task is told within two seconds that it is away; a worker waits for it."""
    return {
        "broker_url": url,
        "broker_transport_options": {
            "global_keyprefix": f"{namespace()}:celery:",
            "visibility_timeout": 3600,
            "socket_connect_timeout": connect_seconds(),
            "socket_timeout": answer_seconds(),
            "max_retries": 0,  # of a connection that a sender needs; a worker's own waits are the two below
        },
        "task_publish_retry": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
    }


app = Celery("lumos")
app.conf.update(
    **broker_settings(redis_url()),
    result_backend=None,
    task_ignore_result=True,
    task_default_queue="control",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=600,
    task_soft_time_limit=540,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    timezone="UTC",
    enable_utc=True,
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    beat_max_loop_interval=1.0,
)
app.autodiscover_tasks(list(ROOMS))


def _schedule() -> dict[str, Any]:
    """`SCHEDULE` of each room's conf: rows of (name, task, seconds)."""
    rows = [row for room in ROOMS for row in import_module(f"{room}.conf").SCHEDULE]
    return {
        name: {
            "task": task,
            "schedule": seconds,
            "options": {"expires": max(seconds * 2, 5), "queue": "control"},
        }
        for name, task, seconds in rows
    }


app.conf.beat_schedule = _schedule()


@task_prerun.connect
def _expect_master_keys(**_: Any) -> None:
    """Before each task of the platform, so that no process of a worker seals with a key that is another one."""
    if os.environ.get("LUMOS_WORKER_TENANT"):
        return
    from django.db import DatabaseError

    from core.tenancy import clear_scope, platform_scope
    from tenants.api import check_master_keys

    with suppress(DatabaseError), clear_scope(), platform_scope():
        check_master_keys()


@beat_init.connect
def _enter_platform(**_: Any) -> None:
    """Beat reads its schedule from shared tables, for the whole life of its process."""
    from core.tenancy import enter_platform_process

    enter_platform_process()


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    from core.logging import configure, configure_libraries
    from core.outage_log import OneLinePerOutage

    configure_libraries(OneLinePerOutage())
    configure()
