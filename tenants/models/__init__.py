"""The tenants app's tables, by what they are about."""

from tenants.models.backups import TenantBackup
from tenants.models.capacity import Allocation, AllocationPart, CapacityPool
from tenants.models.credentials import ApiKey, OperatorToken
from tenants.models.fleet import SchemaState
from tenants.models.impersonation import Impersonation
from tenants.models.isolation import IsolationReport
from tenants.models.jobs import TenantJob
from tenants.models.keys import MasterKey, TenantDataKey
from tenants.models.members import Invitation, Membership, Operator
from tenants.models.pool import PooledSchema
from tenants.models.profiles import ProfileOverride, TenantTypeProfile
from tenants.models.sessions import ApiSession
from tenants.models.tenant import Domain, Tenant
from tenants.models.webhooks import WebhookDelivery

__all__ = [
    "Allocation",
    "AllocationPart",
    "ApiKey",
    "ApiSession",
    "CapacityPool",
    "Domain",
    "Impersonation",
    "Invitation",
    "IsolationReport",
    "MasterKey",
    "Membership",
    "Operator",
    "OperatorToken",
    "PooledSchema",
    "ProfileOverride",
    "SchemaState",
    "Tenant",
    "TenantBackup",
    "TenantDataKey",
    "TenantJob",
    "TenantTypeProfile",
    "WebhookDelivery",
]
