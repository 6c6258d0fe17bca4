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
    updated_at = models.DateTimeField(_("updated"), default=utc_now)

    class Meta:
        db_table = "workspace_setting"

    def __str__(self) -> str:
        return self.name


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
