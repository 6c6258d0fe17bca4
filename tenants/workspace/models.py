"""What is the customer's own content: the tables of each tenant schema, twelve at most (a test counts them).

No foreign key leaves the schema: accounts are named by id and label.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid

ROLES = [("system", _("System")), ("user", _("User")), ("assistant", _("Assistant"))]


class Setting(models.Model):
    """One preference of the workspace, such as its language or time zone."""

    name = models.CharField(_("name"), primary_key=True, max_length=60)
    value = models.JSONField(_("value"))
    version = models.PositiveIntegerField(_("version"), default=0, db_default=0)  # that of its last change
    updated_at = models.DateTimeField(_("updated"), default=utc_now)

    class Meta:
        db_table = "workspace_setting"

    def __str__(self) -> str:
        return self.name


class SettingVersion(models.Model):
    """One change of the settings; `changes` are [name, before, after], where null is "not set"."""

    number = models.PositiveIntegerField(_("version"), primary_key=True)
    changes = models.JSONField(_("changes"))
    actor_kind = models.CharField(_("kind of actor"), max_length=16)
    actor = models.CharField(_("actor"), max_length=200)
    reason = models.CharField(_("reason"), max_length=300, default="", blank=True)
    at = models.DateTimeField(_("when"))

    class Meta:
        db_table = "workspace_setting_version"

    def __str__(self) -> str:
        return str(self.number)


class Conversation(models.Model):
    """A chat that a member kept from the playground."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    title = models.CharField(_("title"), max_length=120)
    model = models.CharField(_("model"), max_length=120)
    member_id = models.CharField(max_length=40)
    created_at = models.DateTimeField(_("created"), default=utc_now, db_index=True)

    class Meta:
        db_table = "workspace_conversation"

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """One turn of a conversation."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    role = models.CharField(max_length=16, choices=ROLES)
    content = models.TextField()
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        db_table = "workspace_message"

    def __str__(self) -> str:
        return f"{self.role}: {self.content[:40]}"


class WebhookEndpoint(models.Model):
    """A server of the tenant's that wants to be told. `events` empty: all. `secrets` are sealed, the newest first."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=200, default="", blank=True)
    events = models.JSONField(_("events"), default=list)
    secrets = models.JSONField(default=list)
    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_because = models.CharField(max_length=200, default="", blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    created_by = models.CharField(_("created by"), max_length=200)

    class Meta:
        db_table = "workspace_webhook_endpoint"

    def __str__(self) -> str:
        return self.url


class WebhookMessage(models.Model):
    """What happened, as it is sent: the same bytes in each attempt and to each endpoint. The id names the event."""

    id = models.CharField(primary_key=True, max_length=26)
    event = models.CharField(_("event"), max_length=60)
    body = models.TextField()
    created_at = models.DateTimeField(_("created"), default=utc_now, db_index=True)

    class Meta:
        db_table = "workspace_webhook_message"

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class WebhookAttempt(models.Model):
    """One attempt to deliver a message; `answer` is the beginning of what came back."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    delivery_id = models.CharField(max_length=26, db_index=True)
    at = models.DateTimeField(_("when"), db_index=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    took_ms = models.PositiveIntegerField(_("took (ms)"))
    error = models.CharField(_("error"), max_length=200, default="", blank=True)
    answer = models.CharField(_("answer"), max_length=1000, default="", blank=True)

    class Meta:
        db_table = "workspace_webhook_attempt"

    def __str__(self) -> str:
        return f"{self.status or self.error} {self.id}"
