"""Networks on the operators' pages: a tenant's two lists on its form, a key's lifted by an action."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from audit.api import Actor, operator_actor
from core.admin import Confirmation, LumosModelAdmin, action, confirm
from core.clock import utc_now
from core.network_field import NetworksField
from tenants.models import ApiKey, Tenant
from tenants.services.networks import set_key_networks, set_tenant_networks

NETWORKS = ("allowed_networks", "portal_networks")


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    allowed_networks = NetworksField(
        label=_("Networks of its programs"),
        help_text=_("Where its keys may be used, one network a line. Empty: from everywhere."),
        widget=UnfoldAdminTextareaWidget,
    )
    portal_networks = NetworksField(
        label=_("Networks of its portal"),
        help_text=_("Where its members may come from. Empty both lists to let everybody in again."),
        widget=UnfoldAdminTextareaWidget,
    )

    class Meta:
        model = Tenant
        fields = ("name", "slug", "type", "region", *NETWORKS)


def save_networks(tenant_id: str, form: forms.BaseForm, *, acting: Actor, now: datetime) -> None:
    """Store the lists that were changed on the form. Raises InvalidInput."""
    if set(NETWORKS) & set(form.changed_data):
        set_tenant_networks(
            tenant_id=tenant_id,
            networks=form.cleaned_data["allowed_networks"],
            portal_networks=form.cleaned_data["portal_networks"],
            acting=acting,
            now=now,
        )


class LiftsNetworks(LumosModelAdmin):
    """The action on keys, which are never edited otherwise."""

    @action(description=_("Lift its networks …"), icon="public", permissions=["operate"])
    def lift_networks(self, request: HttpRequest, object_id: str) -> HttpResponse:
        what = Confirmation(
            title=str(_("Lift its networks")),
            consequence=str(_("The key works from everywhere its tenant may call from, within a second.")),
            submit=str(_("Lift them")),
            done=lambda n: str(_("The key has no networks of its own any more.")),
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Any, form: forms.Form) -> None:
            set_key_networks(tenant_id=row.tenant_id, key_id=row.pk, networks=(), acting=acting, now=now)

        return confirm(self, request, list(ApiKey.objects.filter(pk=object_id)), what, perform)
