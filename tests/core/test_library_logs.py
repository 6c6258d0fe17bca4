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
log("django.request").warning("Not Found: %s", "/join/abcdef_ABCDEF-0123456789012345678/")
log("django.security.csrf").warning("Forbidden (CSRF): %s", "/impersonation/abcdefABCDEF01234567890123456/")
back = "/sign-in/?next=%2Fsign-in%2Freset%2F7-1-1-abcdef0123456789"
log("uvicorn.access").info('%s - "GET %s HTTP/1.1" 404', "::1", back)
log("django.request").error("Server Error: %s", "/sign-in/address/7-1764500000-1-abcdef01234567890/")
log("django.request").warning("Not Found: %s", "/impersonation/leave/")
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


def test_links_that_open_something_once_are_cut_to_what_stands_before_it() -> None:
    lines = written()
    assert "abcdef" not in lines
    for kept in ("/join/[hidden]/", "/impersonation/[hidden]/", "%2Freset%2F[hidden]", "/address/[hidden]/"):
        assert kept in lines
    assert "Not Found: /impersonation/leave/" in lines


def test_nonsense_from_strangers_leaves_no_line_but_real_errors_do() -> None:
    lines = written()
    assert "Invalid HTTP" not in lines
    assert "handshake" not in lines
    assert "Exception in ASGI application" in lines
