"""Names of channel groups; made here only, so that no client can ask for another tenant's."""

from __future__ import annotations

import re

from core.errors import InvalidInput
from core.ids import is_ulid

_TOPIC = re.compile(r"[a-z][a-z0-9_]{0,40}")


def group_name(tenant_id: str, topic: str) -> str:
    """The group of one topic of one tenant. Raises InvalidInput for anything a client could have made up."""
    if not is_ulid(tenant_id) or _TOPIC.fullmatch(topic) is None:
        raise InvalidInput("Not a group of ours", fields={"topic": ["must be a lower-case word"]})
    return f"t.{tenant_id}.{topic}"
