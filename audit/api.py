"""The audit app's front door."""

from audit.conf import SCHEDULE
from audit.data import SYSTEM, Actor
from audit.services import emit, prune_outbox, record, relay_outbox

__all__ = ["SCHEDULE", "SYSTEM", "Actor", "emit", "prune_outbox", "record", "relay_outbox"]
