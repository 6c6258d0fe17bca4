"""The append-only log and the outbox of domain events; owns rows that nobody updates, knows no other app."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.data import SignedHead
from core.clock import utc_now
from core.ids import new_ulid


class AuditEntry(models.Model):
    """One thing that somebody did. Plain strings beside ids, so that an entry outlives what it speaks of.

    Partitioned by month of `at`, which PostgreSQL therefore wants in the key: there it is (id, at).
    """

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    at = models.DateTimeField(_("when"), default=utc_now)
    tenant_id = models.CharField(_("tenant"), max_length=26, default="", blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=16)
    actor_id = models.CharField(max_length=64)
    actor_label = models.CharField(_("actor"), max_length=200)
    action = models.CharField(_("action"), max_length=80)
    target = models.CharField(_("target"), max_length=200)
    reason = models.TextField(_("reason"), default="", blank=True)
    before = models.JSONField(_("before"), null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), null=True, encoder=DjangoJSONEncoder)
    detail = models.JSONField(_("detail"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    request_id = models.CharField(_("request"), max_length=64, default="", blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["tenant_id", "-at"], name="audit_entry_by_tenant"),
            models.Index(fields=["-at", "-id"], name="audit_entry_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class EntryNames(models.Model):
    """Whom and what one entry names, apart from it because this row may go; see audit.names. An empty text: not taken.

    `tenant_id` is the tenant with which it goes, `account_id`, of an entry that is about no tenant, the account.
    """

    entry = models.OneToOneField(
        AuditEntry, models.DO_NOTHING, primary_key=True, related_name="names", db_constraint=False
    )
    entry_at = models.DateTimeField()
    tenant_id = models.CharField(max_length=26, default="", blank=True)
    account_id = models.CharField(max_length=64, default="", blank=True)
    key = models.CharField(max_length=64)
    actor_label = models.CharField(max_length=200, default="", blank=True)
    target = models.CharField(max_length=200, default="", blank=True)
    reason = models.TextField(default="", blank=True)
    values = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id"], name="audit_names_by_tenant"),
            models.Index(fields=["account_id"], name="audit_names_by_account", condition=~models.Q(account_id="")),
            models.Index(fields=["entry_at"], name="audit_names_by_time"),
        ]


class WaitingEntry(models.Model):
    """An entry that is committed and not yet sealed; a trigger on the log writes it, only the sealer takes it away."""

    position = models.BigAutoField(primary_key=True)
    chain = models.CharField(max_length=26)
    entry_id = models.CharField(max_length=26)
    entry_at = models.DateTimeField()


class AuditLink(models.Model):
    """Ties an entry to its chain; see audit.chain.links. Kept when the month of the entry is dropped."""

    pk = models.CompositePrimaryKey("chain", "sequence")
    chain = models.CharField(max_length=26)
    sequence = models.BigIntegerField()
    entry_id = models.CharField(max_length=26, unique=True)
    entry_at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)


class ChainHead(models.Model):
    """The signed end of one chain, and what the last check of the chain found. `chain` is a tenant's id or `platform`.

    `frozen`: the signature did not hold when the chain was to be extended, so it is not, until an operator adopts it.
    """

    chain = models.CharField(_("chain"), primary_key=True, max_length=26)
    sequence = models.BigIntegerField(_("entries"), default=0)
    hash = models.CharField(_("hash"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed"))
    key_id = models.CharField(_("signing key"), max_length=40)
    signature = models.CharField(_("signature"), max_length=128)
    frozen = models.BooleanField(_("frozen"), default=False)
    witnessed = models.BigIntegerField(default=0)
    verified_at = models.DateTimeField(_("checked"), null=True)
    verified_sequence = models.BigIntegerField(_("entries checked"), default=0)
    fault = models.TextField(_("fault"), default="", blank=True)

    class Meta:
        verbose_name = _("audit chain")
        verbose_name_plural = _("audit chains")

    def __str__(self) -> str:
        return self.chain

    @property
    def signed(self) -> SignedHead:
        return SignedHead(self.chain, self.sequence, self.hash, self.sealed_at, self.key_id, self.signature)


class OutboxEvent(models.Model):
    """A domain event, written in the transaction that caused it and delivered at least once after it."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    type_name = models.CharField(max_length=80)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=utc_now)
    delivered_at = models.DateTimeField(null=True)
    delivered_to = models.JSONField(default=list)  # handlers that need no further attempt
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=utc_now)
    failed_at = models.DateTimeField(null=True)  # given up, until an operator sends it again
    last_error = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("outbox event")
        verbose_name_plural = _("outbox events")
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="outbox_due",
                condition=models.Q(delivered_at=None, failed_at=None),
            ),
            models.Index(
                fields=["failed_at"],
                name="outbox_failed",
                condition=models.Q(delivered_at=None, failed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type_name} {self.id}"
