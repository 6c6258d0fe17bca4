"""Errors of audit.

LumosError
└── Conflict
    └── OutboxEventGone    the event was delivered or discarded meanwhile
"""

from __future__ import annotations

from core.errors import Conflict


class OutboxEventGone(Conflict):
    code = "outbox_event_gone"
    title = "The event was delivered or discarded meanwhile"
