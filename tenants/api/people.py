"""Who may come in and as whom: members, operators, roles, keys, sessions, impersonation, networks."""

from tenants.demanded_factor import lacks_demanded_factor
from tenants.impersonation import SESSION as IMPERSONATION_SESSION
from tenants.impersonation import Visit, impersonations_of
from tenants.networks import check_key_address, check_portal_address
from tenants.proved_addresses import AddressCheck, readers_among, register_addresses
from tenants.roles import ROLE_PERMISSIONS, OperatorRole, Permission, allows, grantable_scopes, permissions_of
from tenants.second_factors import FactorCheck, register_factors
from tenants.services.impersonation import (
    begin_impersonation,
    end_impersonation,
    enter_impersonation,
    find_handover,
    raise_impersonation,
)
from tenants.services.invitations import (
    accept_invitation,
    invite_member,
    is_domain_allowed,
    open_invitation,
    renew_invitation,
    revoke_invitation,
)
from tenants.services.keys import create_api_key, create_operator_token, revoke_api_key
from tenants.services.members import add_member, admit_account, change_role, find_account, leave_tenant, remove_member
from tenants.services.networks import set_key_networks, set_tenant_networks
from tenants.services.operators import dismiss_operator, keep_a_super, set_operator_role
from tenants.services.sessions import end_api_session, end_api_sessions_of
from tenants.services.token_keys import rotate_token_key

__all__ = [
    "IMPERSONATION_SESSION",
    "ROLE_PERMISSIONS",
    "AddressCheck",
    "FactorCheck",
    "OperatorRole",
    "Permission",
    "Visit",
    "accept_invitation",
    "add_member",
    "admit_account",
    "allows",
    "begin_impersonation",
    "change_role",
    "check_key_address",
    "check_portal_address",
    "create_api_key",
    "create_operator_token",
    "dismiss_operator",
    "end_api_session",
    "end_api_sessions_of",
    "end_impersonation",
    "enter_impersonation",
    "find_account",
    "find_handover",
    "grantable_scopes",
    "impersonations_of",
    "invite_member",
    "is_domain_allowed",
    "keep_a_super",
    "lacks_demanded_factor",
    "leave_tenant",
    "open_invitation",
    "permissions_of",
    "raise_impersonation",
    "readers_among",
    "register_addresses",
    "register_factors",
    "remove_member",
    "renew_invitation",
    "revoke_api_key",
    "revoke_invitation",
    "rotate_token_key",
    "set_key_networks",
    "set_operator_role",
    "set_tenant_networks",
]
