"""The schedule of periodic tasks, in the theme; solar and clocked schedules are not offered."""

from __future__ import annotations

from typing import Any

import django_celery_beat.admin as beat_admin
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from core.admin import LumosModelAdmin, ago, display

for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)


class _TaskSelect(UnfoldAdminSelectWidget, beat_admin.TaskSelectWidget):  # type: ignore[misc]
    """The list of known tasks, in the theme."""


class PeriodicTaskForm(beat_admin.PeriodicTaskForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat_admin.PeriodicTaskAdmin, LumosModelAdmin):  # type: ignore[misc]
    form = PeriodicTaskForm
    list_display = ("name", "task_shown", "every", "enabled", "last_run", "total_run_count")
    list_filter = ("enabled", "one_off")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name",)
    search_fields = ("name", "task")

    @display(description=_("task"), ordering="task")
    def task_shown(self, task: PeriodicTask) -> str:
        return str(task.task)

    @display(description=_("schedule"))
    def every(self, task: PeriodicTask) -> str:
        return str(task.scheduler)

    @display(description=_("last run"), ordering="last_run_at")
    def last_run(self, task: PeriodicTask) -> str:
        return ago(task.last_run_at)

    def get_fieldsets(self, request: HttpRequest, obj: PeriodicTask | None = None) -> Any:
        hidden = {"solar", "clocked"}
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in super().get_fieldsets(request, obj)
        ]


@admin.register(IntervalSchedule)
class IntervalAdmin(LumosModelAdmin):
    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabAdmin(LumosModelAdmin):
    list_display = ("__str__", "minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
