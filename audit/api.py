"""The audit app's front door."""

from audit.acting import caller_actor, operator_actor
from audit.chain.export import check_lines, export_chain, note_export
from audit.chain.links import PLATFORM, chain_of
from audit.chain.sealing import adopt_chain, seal_waiting, waiting_count
from audit.chain.signing import public_keys
from audit.chain.verification import check_chains
from audit.chain.witness import publish_heads
from audit.concealment import fingerprint
from audit.conf import SCHEDULE
from audit.data import SYSTEM, Actor, ChainFault, ChainReport, EntryFacts, FaultKind, Personal, SignedHead
from audit.outbox import (
    count_events,
    deliver_events,
    discard_event,
    emit,
    emit_many,
    forget_events,
    prune_outbox,
    relay_outbox,
    resend_event,
)
from audit.selectors import broken_chains, recent_entries
from audit.services import forget_account, record
from audit.upkeep import ensure_partitions_ahead as ensure_audit_partitions

__all__ = [
    "PLATFORM",
    "SCHEDULE",
    "SYSTEM",
    "Actor",
    "ChainFault",
    "ChainReport",
    "EntryFacts",
    "FaultKind",
    "Personal",
    "SignedHead",
    "adopt_chain",
    "broken_chains",
    "caller_actor",
    "chain_of",
    "check_chains",
    "check_lines",
    "count_events",
    "deliver_events",
    "discard_event",
    "emit",
    "emit_many",
    "ensure_audit_partitions",
    "export_chain",
    "fingerprint",
    "forget_account",
    "forget_events",
    "note_export",
    "operator_actor",
    "prune_outbox",
    "public_keys",
    "publish_heads",
    "recent_entries",
    "record",
    "relay_outbox",
    "resend_event",
    "seal_waiting",
    "waiting_count",
]
