"""Whether every message of the interface is translated; reads the catalogues, writes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import polib

from core.conf import ROOT


def gaps(locale: Path) -> list[str]:
    """`file: message` of each entry that has no translation or a doubtful one."""
    return [
        f"{file.relative_to(locale)}: {entry.msgid[:70]!r}"
        for file in sorted(locale.glob("*/LC_MESSAGES/*.po"))
        for entry in polib.pofile(str(file))
        if not entry.obsolete and (entry.fuzzy or not entry.translated())
    ]


def main() -> int:
    found = gaps(ROOT / "locale")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
