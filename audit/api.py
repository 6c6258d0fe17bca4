"""The audit app's front door."""

from audit.acting import caller_actor, operator_actor
from audit.conf import SCHEDULE
from audit.data import SYSTEM, Actor, EntryFacts
from audit.selectors import recent_entries
from audit.services import emit, prune_outbox, record, relay_outbox

__all__ = [
    "SCHEDULE",
    "SYSTEM",
    "Actor",
    "EntryFacts",
    "caller_actor",
    "emit",
    "operator_actor",
    "prune_outbox",
    "recent_entries",
    "record",
    "relay_outbox",
]
