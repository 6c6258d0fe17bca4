"""Tenants and their host names; owns fields and constraints, no rules and no writes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from core.clock import utc_now
from core.ids import prefixed
from core.tenancy import NoActiveScope, TenantRef
from tenants.data import TenantStatus, TenantType
from tenants.models.identity import id_field

TYPE_CHOICES = [
    (TenantType.INDIVIDUAL, _("Individual")),
    (TenantType.SMALL_BUSINESS, _("Small business")),
    (TenantType.ENTERPRISE, _("Enterprise")),
    (TenantType.GOVERNMENT, _("Government")),
    (TenantType.EDUCATIONAL, _("Educational")),
]


class Tenant(TenantMixin):  # type: ignore[misc]
    """A customer of the operator. Schema and role are named after the id, never after anything a person chose."""

    auto_create_schema = False
    auto_drop_schema = False

    id = id_field()
    slug = models.CharField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    type = models.CharField(_("type"), max_length=20, choices=TYPE_CHOICES)
    status = models.CharField(
        _("status"),
        max_length=16,
        default=TenantStatus.PROVISIONING,
        choices=[
            (TenantStatus.PROVISIONING, _("Provisioning")),
            (TenantStatus.ACTIVE, _("Active")),
            (TenantStatus.SUSPENDED, _("Suspended")),
            (TenantStatus.ARCHIVED, _("Archived")),
            (TenantStatus.DELETING, _("To be deleted")),
            (TenantStatus.DELETED, _("Deleted")),
        ],
    )
    status_reason = models.CharField(_("reason for the status"), max_length=300, default="", blank=True)
    plan = models.CharField(_("plan"), max_length=40, default="")
    region = models.CharField(_("region"), max_length=40, default="local")
    allowed_networks = models.JSONField(
        _("networks of its programs"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Empty: from everywhere."),
    )
    portal_networks = models.JSONField(
        _("networks of its portal"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Empty: from everywhere."),
    )
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
