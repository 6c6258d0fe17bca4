"""`python -m lumos_site.devtools test|check …`."""

from __future__ import annotations

import sys

from lumos_site.devtools.check import check
from lumos_site.devtools.test import test


def main(arguments: list[str]) -> int:
    command, *rest = arguments
    return test(rest) if command == "test" else check(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
