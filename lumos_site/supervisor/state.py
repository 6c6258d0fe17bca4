"""Small files of mode 600 in var/ that outlive or describe a run; owns their names and their writing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNNING, PREPARED, DEMO, PORTS = "running.json", "prepared.json", "demo.json", "ports.json"


def write(file: Path, content: Mapping[str, object]) -> None:
    """Whole or not at all, readable by this user only."""
    fresh = file.with_name(f".{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream, indent=1)
    fresh.replace(file)


def read(file: Path) -> dict[str, Any]:
    """The content, empty when there is none or it was torn."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
