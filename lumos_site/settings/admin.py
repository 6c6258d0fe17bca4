"""How the operators' admin looks; names and links only."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Lumos",
    "SITE_HEADER": "Lumos",
}
