"""What libraries write to the log: no credential in it, and nothing that a stranger can make endless."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logging
from core.logging import configure_libraries

configure_libraries()
log = logging.getLogger
try:
    raise ValueError("no such key lum_live_abcdefABCDEF123456")
except ValueError:
    log("django.request").exception("Not Found: /%s", "lum_oper_abcdefABCDEF123456")
log("uvicorn.error").warning("Invalid HTTP request received.")
log("uvicorn.error").error("ASGI callable returned without completing handshake.")
log("django.security.DisallowedHost").error("Invalid HTTP_HOST header")
log("uvicorn.error").error("Exception in ASGI application")
"""


def written() -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr


def test_no_credential_is_in_messages_or_tracebacks() -> None:
    lines = written()
    assert "Traceback" in lines
    assert "abcdef" not in lines
    assert "lum_live_[hidden]" in lines
    assert "lum_oper_[hidden]" in lines


def test_nonsense_from_strangers_leaves_no_line_but_real_errors_do() -> None:
    lines = written()
    assert "Invalid HTTP" not in lines
    assert "handshake" not in lines
    assert "Exception in ASGI application" in lines
