"""Operators' pages of the audit app: the log, its chains, the outbox."""

from audit.admin.chains import ChainHeadAdmin
from audit.admin.log import AuditEntryAdmin
from audit.admin.outbox import OutboxEventAdmin

__all__ = ["AuditEntryAdmin", "ChainHeadAdmin", "OutboxEventAdmin"]
