"""What crosses the mail app's border: a letter that somebody wants sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Letter:
    """`kind` names the templates `emails/<kind>.subject.txt`, `.txt` and `.html`; `language` is one of LANGUAGES.

    `context` may hold secrets such as a link that opens something; they are kept sealed, and only until it is sent.
    `tenant_id` is empty for what concerns no tenant.
    """

    kind: str
    to: str
    language: str
    context: Mapping[str, object] = field(default_factory=dict, repr=False)
    tenant_id: str = ""
