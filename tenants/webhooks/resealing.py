"""Secrets of endpoints in the form before `t1.`: sealed anew when they are next used, so that the form dies out."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction

from core.crypto import SealBroken
from core.tenancy import TenantRef, tenant_scope
from tenants.webhooks.secrets import is_older_form, open_secret, seal_secret
from tenants.workspace.models import WebhookEndpoint


@transaction.atomic
def seal_anew(tenant_id: str, endpoint_id: str) -> None:
    """The secrets stay what they are. One that does not open stays as it is."""
    with tenant_scope(TenantRef(tenant_id)):
        endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
        for one in endpoint.secrets if endpoint is not None else ():
            with suppress(SealBroken):
                if is_older_form(one["sealed"]):
                    secret = open_secret(one["sealed"], tenant_id=tenant_id, endpoint_id=endpoint_id)
                    one["sealed"] = seal_secret(secret, tenant_id=tenant_id, endpoint_id=endpoint_id)
        if endpoint is not None:
            endpoint.save(update_fields=["secrets"])
