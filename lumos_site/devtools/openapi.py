"""Whether docs/openapi.yaml is what the code says now; shows the difference, changes nothing."""

from __future__ import annotations

import difflib
import sys
import tempfile
from pathlib import Path

import django

from core.conf import ROOT

COMMITTED = ROOT / "docs" / "openapi.yaml"


def main() -> int:
    django.setup()
    from django.core.management import call_command

    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.yaml"
        call_command("spectacular", file=str(fresh), validate=True, fail_on_warn=True)
        now = fresh.read_text()
    before = COMMITTED.read_text() if COMMITTED.exists() else ""
    difference = difflib.unified_diff(
        before.splitlines(), now.splitlines(), "docs/openapi.yaml", "the code", lineterm=""
    )
    lines = list(difference)
    print("\n".join(lines[:80]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
