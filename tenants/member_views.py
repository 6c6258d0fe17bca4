"""REST: a tenant's members and invitations; translates in, calls one service, translates out.

Accounts belong to no tenant, so a member's request leaves the tenant's scope for what it asks of them.
"""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import WholePage, whole
from core.rest.views import TenantView, checked
from core.tenancy import platform_scope
from tenants.data import Role
from tenants.errors import InvitationNotFound, MemberNotFound
from tenants.member_serializers import (
    InvitationSerializer,
    MemberSerializer,
    NewInvitationSerializer,
    RoleSerializer,
)
from tenants.roles import Permission
from tenants.selectors import invitation_facts, invitations_of, member_facts, members_of, tenant_by_id
from tenants.services.invitations import invite_member, revoke_invitation
from tenants.services.members import change_role, remove_member


class _PeopleView(TenantView):
    @property
    def owners(self) -> bool:
        """Whether the caller may make, change and remove owners."""
        return self.caller.is_operator or Permission.OWNERS_MANAGE in self.caller.permissions


class MemberList(_PeopleView):
    access: ClassVar[dict[str, Access]] = {
        "GET": Access("tenants.view_membership", member=Permission.MEMBERS_VIEW),
    }
    pagination_class = WholePage

    @extend_schema(operation_id="list_members", responses=MemberSerializer(many=True), tags=["Members"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """List a tenant's members, by address."""
        with platform_scope():
            members = members_of(tenant_by_id(self.tenant_id).id)
        return whole(list(MemberSerializer(members, many=True).data))


class MemberDetail(_PeopleView):
    access: ClassVar[dict[str, Access]] = {
        "PUT": Access("tenants.change_membership", member=Permission.MEMBERS_MANAGE),
        "DELETE": Access("tenants.change_membership", member=Permission.MEMBERS_MANAGE),
    }

    @extend_schema(operation_id="set_role", request=RoleSerializer, responses=MemberSerializer, tags=["Members"])
    def put(self, request: Request, tenant_id: str, member_id: str) -> Response:
        """Give a member another role. The last owner stays one."""
        role = Role(checked(RoleSerializer, request)["role"])
        with platform_scope():
            changed = change_role(
                tenant_id=self.tenant_id,
                membership_id=_bare(member_id),
                role=role,
                owners=self.owners,
                acting=caller_actor(self.caller),
                now=utc_now(),
            )
            facts = member_facts(changed)
        return Response(MemberSerializer(facts).data)

    @extend_schema(operation_id="remove_member", responses={204: None}, tags=["Members"])
    def delete(self, request: Request, tenant_id: str, member_id: str) -> Response:
        """Close the tenant to a member, from the next request on."""
        with platform_scope():
            remove_member(
                tenant_id=self.tenant_id,
                membership_id=_bare(member_id),
                owners=self.owners,
                acting=caller_actor(self.caller),
                now=utc_now(),
            )
        return Response(status=204)


class InvitationList(_PeopleView):
    access: ClassVar[dict[str, Access]] = {
        "GET": Access("tenants.view_invitation", member=Permission.MEMBERS_MANAGE),
        "POST": Access("tenants.add_invitation", member=Permission.MEMBERS_MANAGE),
    }
    pagination_class = WholePage

    @extend_schema(operation_id="list_invitations", responses=InvitationSerializer(many=True), tags=["Members"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """List invitations that are neither used nor withdrawn, newest first."""
        with platform_scope():
            rows = invitations_of(tenant_by_id(self.tenant_id).id)
        return whole(list(InvitationSerializer(rows, many=True).data))

    @extend_schema(
        operation_id="invite_member",
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer},
        tags=["Members"],
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Send a letter whose link makes its reader a member. An earlier one to that address ends."""
        given = checked(NewInvitationSerializer, request)
        with platform_scope():
            made = invite_member(
                tenant_id=self.tenant_id,
                email=given["email"],
                role=Role(given["role"]),
                owners=self.owners,
                acting=caller_actor(self.caller),
                now=utc_now(),
                language=given["language"],
            )
        return Response(InvitationSerializer(invitation_facts(made)).data, status=201)


class InvitationDetail(_PeopleView):
    access: ClassVar[dict[str, Access]] = {
        "DELETE": Access("tenants.change_invitation", member=Permission.MEMBERS_MANAGE),
    }

    @extend_schema(operation_id="revoke_invitation", responses={204: None}, tags=["Members"])
    def delete(self, request: Request, tenant_id: str, invitation_id: str) -> Response:
        """Withdraw an invitation; its link opens nothing any more."""
        try:
            bare = parse_prefixed("invite", invitation_id)
        except InvalidInput as error:
            raise InvitationNotFound() from error
        with platform_scope():
            revoke_invitation(
                tenant_id=self.tenant_id, invitation_id=bare, acting=caller_actor(self.caller), now=utc_now()
            )
        return Response(status=204)


def _bare(member_id: str) -> str:
    try:
        return parse_prefixed("mem", member_id)
    except InvalidInput as error:
        raise MemberNotFound() from error
