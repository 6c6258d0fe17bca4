"""What of a change may be written down: a secret is told by its fingerprint, never by its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.crypto import current_version, hmac_digest
from core.logging import scrub

PURPOSE = "audit"


def fingerprint(secret: str) -> str:
    """`hmac-v1:…`: the same for the same secret under one version of the pepper, and no way back."""
    version = current_version(PURPOSE)
    return f"hmac-v{version}:{hmac_digest(secret, PURPOSE, version)}"


def conceal(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with every text that holds a recognisable credential replaced by the text's fingerprint."""
    return {str(name): conceal_value(value) for name, value in facts.items()}


def conceal_value(value: Any) -> Any:
    if isinstance(value, str):
        return value if scrub(value) == value else fingerprint(value)
    if isinstance(value, Mapping):
        return conceal(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [conceal_value(one) for one in value]
    return value
