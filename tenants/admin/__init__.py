"""The operators' pages of tenants and credentials; translates clicks into services, decides nothing."""

from tenants.admin.allocations import AllocationAdmin
from tenants.admin.backups import TenantBackupAdmin
from tenants.admin.capacity import CapacityPoolAdmin
from tenants.admin.credentials import ApiKeyAdmin, OperatorTokenAdmin
from tenants.admin.fleet import SchemaStateAdmin
from tenants.admin.invitations import InvitationAdmin
from tenants.admin.isolation import IsolationReportAdmin
from tenants.admin.operators import OperatorAdmin
from tenants.admin.overrides import ProfileOverrideAdmin
from tenants.admin.people import DomainAdmin, MembershipAdmin
from tenants.admin.profiles import TenantTypeProfileAdmin
from tenants.admin.tenants import TenantAdmin
from tenants.admin.webhooks import WebhookDeliveryAdmin

__all__ = [
    "AllocationAdmin",
    "ApiKeyAdmin",
    "CapacityPoolAdmin",
    "DomainAdmin",
    "InvitationAdmin",
    "IsolationReportAdmin",
    "MembershipAdmin",
    "OperatorAdmin",
    "OperatorTokenAdmin",
    "ProfileOverrideAdmin",
    "SchemaStateAdmin",
    "TenantAdmin",
    "TenantBackupAdmin",
    "TenantTypeProfileAdmin",
    "WebhookDeliveryAdmin",
]
