"""REST: API sessions of members, and the public keys of their tokens; translates in, calls one service, translates out.

Accounts belong to no tenant, so what is asked of them runs in the platform's scope.
"""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import Actor, caller_actor
from core.address import client_address, exact_address
from core.attempts import count_attempt
from core.clock import utc_now
from core.errors import InvalidInput, NotAuthenticated
from core.ids import parse_prefixed
from core.proof import has_proved_factor
from core.rest.access import Access, NotWhileActing
from core.rest.pages import WholePage, whole
from core.rest.views import ApiView, OpenView, checked
from core.tenancy import platform_scope
from tenants.authentication import MemberSession
from tenants.credentials import MemberCredentials, member_by_credentials
from tenants.errors import RefreshTokenInvalid, SessionNotFound, WrongCredentials
from tenants.models import Membership, Tenant
from tenants.networks import check_portal_address, portal_networks_of
from tenants.roles import Permission
from tenants.selectors import api_sessions_of
from tenants.services.opened_sessions import open_api_session, renew_api_session
from tenants.services.sessions import end_api_session
from tenants.session_serializers import (
    NewSessionSerializer,
    RefreshSerializer,
    SessionSerializer,
    TokensSerializer,
)
from tenants.sessions.keys import jwks

REFRESH_REALM = "refresh"


class TokenList(OpenView):
    @extend_schema(
        operation_id="open_session",
        request=NewSessionSerializer,
        responses={201: TokensSerializer},
        tags=["API sessions"],
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Open an API session: with e-mail and password, or from the browser session of the portal (X-CSRFToken)."""
        given = checked(NewSessionSerializer, request)
        member, factor = _by_credentials(request, given) if "email" in given else _by_browser(request)
        account = member.user
        acting = Actor("member", str(account.pk), account.email or account.get_username())
        tokens = open_api_session(
            membership_id=member.id,
            factor=factor,
            name=given["name"],
            address=client_address(request._request),
            acting=acting,
            now=utc_now(),
        )
        return Response(TokensSerializer(tokens).data, status=201)


def _by_credentials(request: Request, given: dict[str, str]) -> tuple[Membership, bool]:
    here: Tenant | None = getattr(request, "tenant", None)
    if here is None and "tenant" not in given:
        raise InvalidInput(_("Whose?"), fields={"tenant": [_("is needed on this host")]})
    tenant = here or Tenant.objects.filter(pk=given["tenant"]).first()
    if tenant is None or given.get("tenant", tenant.id) != tenant.id:
        raise WrongCredentials()
    check_portal_address(portal_networks_of(tenant.id), exact_address(request._request))
    sent = MemberCredentials(given["email"], given.get("password", ""), given["code"])
    return member_by_credentials(request._request, tenant, sent)


def _by_browser(request: Request) -> tuple[Membership, bool]:
    if getattr(request._request, "impersonation", None) is not None:
        raise NotWhileActing()
    if MemberSession().authenticate(request) is None:
        raise NotAuthenticated(_("Send e-mail and password, or the session of the portal."))
    member: Membership = request._request.membership  # type: ignore[attr-defined]
    return member, has_proved_factor(request._request)


class TokenRefresh(OpenView):
    @extend_schema(
        operation_id="refresh_session",
        request=RefreshSerializer,
        responses={200: TokensSerializer},
        tags=["API sessions"],
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair. A token that was exchanged before ends its session."""
        token = checked(RefreshSerializer, request)["refresh_token"]
        try:
            tokens = renew_api_session(token=token, address=exact_address(request._request), now=utc_now())
        except RefreshTokenInvalid:
            address = client_address(request._request)
            count_attempt(realm=REFRESH_REALM, address=address, account=token[:40])
            raise
        return Response(TokensSerializer(tokens).data)


class TokenDetail(ApiView):
    access: ClassVar[dict[str, Access]] = {"DELETE": Access(None, member=Permission.SETTINGS_OWN)}

    @extend_schema(operation_id="end_session", responses={204: None}, tags=["API sessions"])
    def delete(self, request: Request, session_id: str) -> Response:
        """End one of one's own API sessions; its tokens open nothing any longer."""
        try:
            bare = parse_prefixed("ses", session_id)
        except InvalidInput as error:
            raise SessionNotFound() from error
        with platform_scope():
            end_api_session(
                tenant_id=self.tenant.id,
                user_id=int(self.caller.id),
                session_id=bare,
                acting=caller_actor(self.caller),
                now=utc_now(),
            )
        return Response(status=204)


class SessionList(ApiView):
    access: ClassVar[dict[str, Access]] = {"GET": Access(None, member=Permission.SETTINGS_OWN)}
    pagination_class = WholePage

    @extend_schema(operation_id="list_sessions", responses=SessionSerializer(many=True), tags=["API sessions"])
    def get(self, request: Request) -> Response:
        """List one's own API sessions in this tenant, newest first."""
        with platform_scope():
            sessions = api_sessions_of(self.tenant.id, int(self.caller.id), utc_now())
        return whole(list(SessionSerializer(sessions, many=True).data))


@require_GET
def key_set(request: HttpRequest) -> JsonResponse:
    """The public keys of access tokens, for whoever checks them elsewhere."""
    return JsonResponse(jwks(utc_now()), headers={"Cache-Control": "public, max-age=300"})
