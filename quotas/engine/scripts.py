"""The Lua scripts as they are sent to Redis; owns their texts, knows nothing of their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.redis.pipe import Script

_FOLDER = Path(__file__).parent / "lua"
COMMON: Final = (_FOLDER / "common.lua").read_text()


def _load(name: str, *, before: tuple[str, ...] = ()) -> Script:
    """Lua has no include: what several scripts share stands in front of each."""
    texts = [(_FOLDER / f"{part}.lua").read_text() for part in (*before, name)]
    return Script(f"quotas.{name}", "\n".join([COMMON, *texts]))


RESERVE: Final = _load("reserve")
SETTLE: Final = _load("settle", before=("closing",))
RELEASE: Final = _load("release", before=("closing",))
SWEEP: Final = _load("sweep", before=("closing",))
PEEK: Final = _load("peek")
CORRECT: Final = _load("correct")
REBUILD: Final = _load("rebuild")
RECONCILE: Final = _load("reconcile")
