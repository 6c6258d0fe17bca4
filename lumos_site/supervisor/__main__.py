"""`python -m lumos_site.supervisor up|serve …`: checks first, then runs until it is told to stop."""

from __future__ import annotations

import sys

from lumos_site.embedded.errors import EmbeddedServerError
from lumos_site.supervisor.errors import StartRefused
from lumos_site.supervisor.options import UpOptions, parse
from lumos_site.supervisor.serve import serve
from lumos_site.supervisor.up import up


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        return up(options) if isinstance(options, UpOptions) else serve(options)
    except (StartRefused, EmbeddedServerError) as refusal:
        print(f"lumos: {refusal}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
