"""The schedule of periodic tasks, in the theme; solar and clocked schedules are not offered."""

from __future__ import annotations

from typing import Any

import django_celery_beat.admin as beat_admin
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.db.transaction import atomic
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

from audit.api import operator_actor, record
from core.admin import LumosModelAdmin, ago, display
from core.json_field import StorableJSONField, is_list, is_object

for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)


class _Recorded(LumosModelAdmin):
    """Rows of another package's tables, which have no services of ours: the page itself writes the audit entries."""

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        names = form.changed_data
        before = {name: _plain(form.initial.get(name)) for name in names} if change else None
        after = {name: _plain(form.cleaned_data.get(name)) for name in names}
        self._tell(request, "schedule.change" if change else "schedule.add", obj, before=before, after=after)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self._tell(request, "schedule.delete", obj)
        super().delete_model(request, obj)

    def _tell(self, request: HttpRequest, action: str, obj: Model, **facts: Any) -> None:
        target = f"{obj._meta.model_name}: {obj}"[:200]
        record(action, actor=operator_actor(request.user), tenant_id=None, target=target, **facts)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int) else str(value)


class _TaskSelect(UnfoldAdminSelectWidget, beat_admin.TaskSelectWidget):  # type: ignore[misc]
    """The list of known tasks, in the theme."""


_LIST = StorableJSONField(required=False, shape=is_list)
_OBJECT = StorableJSONField(required=False, shape=is_object)


class PeriodicTaskForm(beat_admin.PeriodicTaskForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()

    def clean_args(self) -> str:
        return self._checked("args", _LIST)

    def clean_kwargs(self) -> str:
        return self._checked("kwargs", _OBJECT)

    def clean_headers(self) -> str:
        return self._checked("headers", _OBJECT)

    def _checked(self, name: str, shape: StorableJSONField) -> str:
        """The text as it was typed: the scheduler reads it at each start, and one that it cannot read would end it."""
        text: str = self.cleaned_data[name]
        shape.clean(text)
        return text


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat_admin.PeriodicTaskAdmin, _Recorded):  # type: ignore[misc]
    form = PeriodicTaskForm
    list_display = ("name", "task_shown", "every", "enabled", "last_run", "total_run_count")
    list_filter = ("enabled", "one_off")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name",)
    search_fields = ("name", "task")

    @admin.action(description=_("Enable selected tasks"), permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._each(request, "schedule.enable", queryset, super().enable_tasks)

    @admin.action(description=_("Disable selected tasks"), permissions=["change"])
    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._each(request, "schedule.disable", queryset, super().disable_tasks)

    @admin.action(description=_("Toggle activity of selected tasks"), permissions=["change"])
    def toggle_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._each(request, "schedule.toggle", queryset, super().toggle_tasks)

    @admin.action(description=_("Run selected tasks"), permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._each(request, "schedule.run", queryset, super().run_tasks)

    @atomic
    def _each(self, request: HttpRequest, name: str, rows: QuerySet[PeriodicTask], perform: Any) -> None:
        for task in rows:
            self._tell(request, name, task)
        perform(request, rows)

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
class IntervalAdmin(_Recorded):
    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabAdmin(_Recorded):
    list_display = ("__str__", "minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
