"""The Lua scripts as they are sent to Redis; owns their texts, knows nothing of their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.redis.pipe import Script

_FOLDER = Path(__file__).parent / "lua"
_COMMON = (_FOLDER / "common.lua").read_text()


def _load(name: str) -> Script:
    return Script(f"quotas.{name}", f"{_COMMON}\n{(_FOLDER / f'{name}.lua').read_text()}")


RESERVE: Final = _load("reserve")
SETTLE: Final = _load("settle")
RELEASE: Final = _load("release")
SWEEP: Final = _load("sweep")
PEEK: Final = _load("peek")
CORRECT: Final = _load("correct")
REBUILD: Final = _load("rebuild")
RECONCILE: Final = _load("reconcile")
