"""Changing one's own password; accounts and sessions are the platform's, whatever scope the request runs in."""

from __future__ import annotations

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction

from accounts.api import keep_only_this_session, place_of, who_is
from audit.api import record
from core.clock import utc_now
from core.tenancy import platform_scope
from portal.request import PortalRequest, acting
from tenants.api import end_api_sessions_of


def change_password(request: PortalRequest, form: PasswordChangeForm) -> None:
    """Store the new password of a valid form. This session stays; all others of the account end."""
    with platform_scope(), transaction.atomic():
        form.save()
        before = request.session.session_key or ""
        update_session_auth_hash(request, request.user)
        end_api_sessions_of(user_id=request.user.pk, acting=acting(request), now=utc_now())
        who, after = who_is(request.user, place_of(request)), request.session.session_key or ""
        keep_only_this_session(who=who, before=before, after=after, now=utc_now())
        record(
            "accounts.change_password",
            actor=acting(request),
            tenant_id=request.tenant.id,
            target=request.tenant.public_id,
            detail={},
        )
