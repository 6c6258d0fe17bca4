"""REST requests that nobody sends in good faith: refused with 400, never a 500 and never quietly ignored."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest

from tests.cast import Operator, Player
from tests.rest import Caller, path_of

pytestmark = pytest.mark.django_db
POSITIONS = ["p=abc", "p=\x00", "p=%00", "p=9999999999999999999", "p=0001-01-01T00:00:00%2B23:00", "o=-1", "r=x", ""]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("rest", ["/keys", "/usage-events", "/scaling/decisions"])
def test_a_cursor_that_is_not_ours_is_refused(olivia: Operator, acme: Player, position: str, rest: str) -> None:
    cursor = quote(base64.b64encode(position.encode()).decode())
    answer = Caller(olivia.token).get(path_of(acme.tenant, f"{rest}?cursor={cursor}"))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/cursor"


def test_our_own_cursors_lead_through_all_pages_and_back(olivia: Operator, acme: Player) -> None:
    caller = Caller(olivia.token)
    for name in "abcd":
        caller.post(path_of(acme.tenant, "/keys"), {"name": name})
    first = caller.get(path_of(acme.tenant, "/keys?limit=2")).json()
    second = caller.get(first["page"]["next"].partition("/api/v1")[2]).json()
    back = caller.get(second["page"]["previous"].partition("/api/v1")[2]).json()
    assert [row["name"] for row in first["data"] + second["data"]] == ["d", "c", "b", "a"]
    assert back["data"] == first["data"]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e3", "201", "9" * 5000, "", "%D9%A3"])
def test_a_page_size_that_is_no_number_is_refused(olivia: Operator, limit: str) -> None:
    answer = Caller(olivia.token).get(f"/tenants?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/limit"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b"{", b"\xff", b'{"slug": NaN}'])
def test_a_body_that_cannot_be_read_is_refused(olivia: Operator, body: Any) -> None:
    answer = Caller(olivia.token).post("/tenants", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


@pytest.mark.parametrize("kind", ["\ud800", "a\udfff", "\x00"])
def test_a_choice_that_cannot_be_sent_back_is_refused(olivia: Operator, kind: str) -> None:
    answer = Caller(olivia.token).post("/capacity/pools", {"kind": kind})
    assert answer.status_code == 400
    assert "#/kind" in [error["pointer"] for error in answer.json()["errors"]]
    assert Caller(olivia.token).post("/capacity/pools", {f"{kind}x": 1}).status_code == 400
