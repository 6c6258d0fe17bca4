"""What stands under a tenant's page: its keys, its members, its domains, each read-only and linked."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.datasets import BaseDataset

from core.admin import EMPTY, ReadOnlyAdmin, ago, display
from tenants.admin.labels import KeyColumns
from tenants.models import ApiKey, Domain, Membership


class _OfTenant(ReadOnlyAdmin):
    """Rows of the tenant whose page this is."""

    list_per_page = 10
    extra_context: dict[str, Any]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(tenant_id=self.extra_context.get("object"))


class _Keys(KeyColumns, _OfTenant):
    list_display = ("name", "key_shown", "state", "scopes_shown", "created_shown")
    ordering = ("-created_at",)

    @display(description=_("key"))
    def key_shown(self, key: ApiKey) -> str:
        return str(key)

    @display(description=_("created"))
    def created_shown(self, key: ApiKey) -> str:
        return ago(key.created_at)


class _Members(_OfTenant):
    list_display = ("account", "role", "created_shown")
    list_select_related = ("user",)
    ordering = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user")

    @display(description=_("account"))
    def account(self, membership: Membership) -> str:
        return membership.user.get_username()

    @display(description=_("since"))
    def created_shown(self, membership: Membership) -> str:
        return ago(membership.created_at)


class _Domains(_OfTenant):
    list_display = ("name", "main")
    ordering = ("-is_primary", "domain")

    @display(description=_("domain"))
    def name(self, domain: Domain) -> str:
        return str(domain.domain)

    @display(description=_("main address"))
    def main(self, domain: Domain) -> str:
        return "✓" if domain.is_primary else EMPTY


class KeysOfTenant(BaseDataset):  # type: ignore[misc]
    model = ApiKey
    model_admin = _Keys
    tab = True


class MembersOfTenant(BaseDataset):  # type: ignore[misc]
    model = Membership
    model_admin = _Members
    tab = True


class DomainsOfTenant(BaseDataset):  # type: ignore[misc]
    model = Domain
    model_admin = _Domains
    tab = True
