"""What an authenticator app shows (RFC 6238), computed as its user's phone would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time


def app_code(secret: str, *, steps: int = 0) -> str:
    """The six digits of now; `steps` half minutes later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    key = base64.b32decode(secret.replace(" ", ""))
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    value = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{value % 1_000_000:06d}"


def key_shown(page: str) -> str:
    """The key that a page shows to be typed into the app."""
    found = re.search(r'id="app-key">([A-Z2-7 ]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def codes_shown(page: str) -> list[str]:
    """The recovery codes that a page shows."""
    found = re.search(r'id="codes"[^>]*>(?:<code>)?([\d\s]+)<', page)
    assert found, page
    return found[1].split()
