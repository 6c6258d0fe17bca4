"""What is decided without asking anybody: the name of a browser, how long a sign-in waits, what was typed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.browsers import browser_name
from accounts.waiting import _WAITING, WAITS_FOR, waiting_in
from tenants.api import ProfileField, value_of_text

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"


def test_a_browser_is_known_by_what_it_says() -> None:
    assert browser_name(CHROME) == "Chrome, Linux"
    assert browser_name("curl/8.5") == "curl/8.5"
    assert len(browser_name("x" * 500)) < 100


def test_a_sign_in_waits_at_its_own_site_and_not_for_ever() -> None:
    here: Any = SimpleNamespace(realm="here")
    there: Any = SimpleNamespace(realm="there")
    facts = {"account": 1, "realm": "here", "password": True, "back_to": "/", "by": "password", "at": NOW.timestamp()}
    session = {_WAITING: facts}
    assert waiting_in(session, here, NOW) is not None
    assert waiting_in(session, there, NOW) is None
    assert waiting_in(session, here, NOW + WAITS_FOR) is None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (ProfileField.ALLOWED_MODELS, " a, b\nc ", ["a", "b", "c"]),
        (ProfileField.RETENTION_DAYS, " 30 ", 30),
        (ProfileField.FAILURE_POLICY, "FAIL_CLOSED", "FAIL_CLOSED"),
    ],
)
def test_what_was_typed_is_a_number_a_word_or_names(field: ProfileField, text: str, value: object) -> None:
    assert value_of_text(field, text) == value
