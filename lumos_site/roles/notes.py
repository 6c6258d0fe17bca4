"""How a child tells the supervisor that it is ready; started by hand it has nobody to tell, and nothing happens."""

from __future__ import annotations

import os

NOTIFY_FD = "LUMOS_NOTIFY_FD"


def tell_ready() -> None:
    """Say so once, however often it is called."""
    text = os.environ.pop(NOTIFY_FD, None)
    if text is not None:
        os.write(int(text), b"r")
        os.close(int(text))
