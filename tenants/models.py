"""Tenants, who may enter them and with which keys; owns fields and constraints, no rules and no writes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from core.clock import utc_now
from core.ids import new_ulid, prefixed
from core.tenancy import NoActiveScope, TenantRef
from tenants.data import Role, TenantStatus, TenantType


def _id_field() -> models.CharField[str, str]:
    return models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)


class Tenant(TenantMixin):  # type: ignore[misc]
    """A customer of the operator. Schema and role are named after the id, never after anything a person chose."""

    auto_create_schema = False
    auto_drop_schema = False

    id = _id_field()
    slug = models.CharField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    type = models.CharField(
        _("type"),
        max_length=20,
        choices=[
            (TenantType.INDIVIDUAL, _("Individual")),
            (TenantType.SMALL_BUSINESS, _("Small business")),
            (TenantType.ENTERPRISE, _("Enterprise")),
            (TenantType.GOVERNMENT, _("Government")),
            (TenantType.EDUCATIONAL, _("Educational")),
        ],
    )
    status = models.CharField(
        _("status"),
        max_length=16,
        default=TenantStatus.PROVISIONING,
        choices=[
            (TenantStatus.PROVISIONING, _("Provisioning")),
            (TenantStatus.ACTIVE, _("Active")),
            (TenantStatus.SUSPENDED, _("Suspended")),
            (TenantStatus.ARCHIVED, _("Archived")),
        ],
    )
    status_reason = models.CharField(_("reason for the status"), max_length=300, default="", blank=True)
    plan = models.CharField(_("plan"), max_length=40, default="")
    region = models.CharField(_("region"), max_length=40, default="local")
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        constraints = [
            models.CheckConstraint(
                condition=Q(slug__regex=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$"),
                name="tenant_slug_shape",
                violation_error_message=_(
                    "A slug has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
                ),
            ),
            models.CheckConstraint(
                condition=Q(schema_name__startswith="t_"),
                name="tenant_schema_is_opaque",
                violation_error_message=_("The schema name is made from the id."),
            ),
        ]
        indexes = [models.Index(fields=["status"], name="tenant_status")]

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> None:
        raise NoActiveScope("Use tenant_scope(tenant.ref) instead of `with tenant:`")

    def __exit__(self, *_: object) -> None:
        raise NoActiveScope("Use tenant_scope(tenant.ref) instead of `with tenant:`")

    @property
    def public_id(self) -> str:
        return prefixed("ten", self.id)

    @property
    def ref(self) -> TenantRef:
        return TenantRef(self.id, self.slug, self.name)

    @property
    def is_active(self) -> bool:
        return self.status == TenantStatus.ACTIVE


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name on which a tenant's portal answers."""

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")

    def __str__(self) -> str:
        return str(self.domain)


class Membership(models.Model):
    """Opens a tenant to an account."""

    id = _id_field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="memberships")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=[
            (Role.OWNER, _("Owner")),
            (Role.ADMIN, _("Admin")),
            (Role.DEVELOPER, _("Developer")),
            (Role.BILLING, _("Billing")),
            (Role.VIEWER, _("Viewer")),
        ],
    )
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant"],
                name="membership_once",
                violation_error_message=_("This account is a member already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class ApiKey(models.Model):
    """A credential of a tenant's programs. The key itself is not here, only its HMAC under a versioned pepper."""

    id = _id_field()
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_keys", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    last_four = models.CharField(_("ends with"), max_length=4, editable=False)
    live = models.BooleanField(_("live"), default=True)
    scopes = models.JSONField(_("scopes"), default=list)
    allowed_models = models.JSONField(
        _("models"), default=list, blank=True, help_text=_("Empty means all of the plan.")
    )
    requests_per_minute = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(_("tokens per minute"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    created_by = models.CharField(_("created by"), max_length=200, default="")

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="api_key_by_tenant")]

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    @property
    def public_id(self) -> str:
        return prefixed("key", self.id)


class OperatorToken(models.Model):
    """A credential of an operator's program for the REST API; stored as an HMAC like a tenant's key."""

    id = _id_field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="operator_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("operator token")
        verbose_name_plural = _("operator tokens")

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"
