"""What the person at the terminal sees: prefixed, coloured lines; owns the look, knows nothing of components."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_WIDTH = 10


class Console:
    """Lines of many processes on one stream. A reader that went away (`| head`) is not our failure."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._known: dict[str, int] = {}

    def line(self, name: str, text: str) -> None:
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{_WIDTH}}|"
        self.plain(f"{self._paint(prefix, self._colour(name))} {text}")

    def say(self, text: str) -> None:
        """A line of the supervisor itself."""
        self.line("lumos", text)

    def plain(self, text: str) -> None:
        with suppress(BrokenPipeError):
            print(text, flush=True)

    def _colour(self, name: str) -> int:
        return self._known.setdefault(name, _COLOURS[len(self._known) % len(_COLOURS)])

    def _paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text
