"""The letters that an installation without a mail server wrote to files."""

from __future__ import annotations

import email
import email.policy
import re
import time
from pathlib import Path

from tests.e2e.installation import Installation


def link_in_letter(lumos: Installation, to: str, path: str, *, within: float = 60) -> str:
    """The first address below `path` in the newest letter to `to`; waits for it."""
    deadline = time.monotonic() + within
    while not (letters := sorted(Path(lumos.var, "mail").glob(f"*-{to}.eml"))):
        assert time.monotonic() < deadline, f"no letter to {to}:\n{lumos.text[-3000:]}"
        time.sleep(0.1)
    letter = email.message_from_bytes(letters[-1].read_bytes(), policy=email.policy.default)
    body = letter.get_body(("plain",))
    assert body is not None
    found = re.search(rf"http\S+{path}\S+", body.get_content())
    assert found, body.get_content()
    return found[0]
