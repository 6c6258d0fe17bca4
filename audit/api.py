"""The audit app's front door."""

from audit.acting import caller_actor, operator_actor
from audit.concealment import fingerprint
from audit.conf import SCHEDULE
from audit.data import SYSTEM, Actor, EntryFacts
from audit.selectors import recent_entries
from audit.services import emit, prune_outbox, record, relay_outbox
from audit.upkeep import ensure_partitions_ahead as ensure_audit_partitions

__all__ = [
    "SCHEDULE",
    "SYSTEM",
    "Actor",
    "EntryFacts",
    "caller_actor",
    "emit",
    "ensure_audit_partitions",
    "fingerprint",
    "operator_actor",
    "prune_outbox",
    "recent_entries",
    "record",
    "relay_outbox",
]
