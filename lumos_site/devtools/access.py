"""Whether docs/access.md is what the code says now; `write` writes it anew."""

from __future__ import annotations

import difflib
import sys

import django

from core.conf import ROOT

COMMITTED = ROOT / "docs" / "access.md"


def main(words: list[str]) -> int:
    django.setup()
    from lumos_site.access.matrix import page

    now = page()
    if words == ["write"]:
        COMMITTED.write_text(now)
    before = COMMITTED.read_text() if COMMITTED.exists() else ""
    difference = difflib.unified_diff(before.splitlines(), now.splitlines(), "docs/access.md", "the code", lineterm="")
    lines = list(difference)
    print("\n".join(lines[:80]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
