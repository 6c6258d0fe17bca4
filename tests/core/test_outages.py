"""A server that is away is told as 503 on every surface, not as a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis as redis_library
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from core.errors import InvalidInput, Unavailable
from core.outages import outage_of
from portal import faults
from tests.cast import Player
from tests.rest import Caller

AWAY: list[tuple[BaseException, str]] = [
    (OperationalError("connection refused"), "database_unavailable"),
    (InterfaceError("connection already closed"), "database_unavailable"),
    (RedisConnectionError("refused"), "redis_unavailable"),
    (Unavailable(), "unavailable"),
]
NOT_AWAY = [ProgrammingError("no such table"), ResponseError("WRONGTYPE"), InvalidInput(), ZeroDivisionError(), None]


@pytest.mark.parametrize(("error", "code"), AWAY)
def test_an_outage_is_known_by_its_exception(error: BaseException, code: str) -> None:
    outage = outage_of(error)
    assert outage is not None
    assert (outage.code, outage.status) == (code, 503)


@pytest.mark.parametrize("error", NOT_AWAY)
def test_other_faults_are_no_outage(error: BaseException | None) -> None:
    assert outage_of(error) is None


def fault_at(path: str, error: Exception) -> tuple[int, str, bytes, str]:
    """What the handler answers while `error` is being handled, as Django calls it."""
    try:
        raise error
    except Exception:
        answer = faults.server_error(RequestFactory().get(path))
    return answer.status_code, answer["content-type"], answer.content, answer.get("retry-after", "")


def test_a_page_says_what_is_away_and_when_to_return() -> None:
    status, kind, content, retry_after = fault_at("/bill/", OperationalError("password=secret"))
    assert (status, retry_after) == (503, "5")
    assert kind.startswith("text/html")
    assert b"The database is not reachable" in content
    assert b"secret" not in content


def test_the_api_answers_with_a_problem_document_before_any_view_is_reached() -> None:
    status, kind, content, retry_after = fault_at("/api/v1/tenants", OperationalError())
    assert (status, kind, retry_after) == (503, "application/problem+json", "5")
    assert (json.loads(content)["code"], json.loads(content)["instance"]) == ("database_unavailable", "/api/v1/tenants")
    status, _, content, _ = fault_at("/api/v1/tenants", ZeroDivisionError())
    assert (status, json.loads(content)["code"]) == (500, "internal_error")


def _raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("host", ["localhost", "acme.localhost"])
def test_a_database_that_fails_in_the_middleware_is_a_503(
    acme: Player, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    client = Client(HTTP_HOST=host, raise_request_exception=False)
    client.cookies["lumos_session"] = "x" * 32
    monkeypatch.setattr("tenants.middleware.tenant_by_host", _raising(OperationalError("away")))
    monkeypatch.setattr(
        "django.contrib.sessions.backends.db.SessionStore._get_session_from_db", _raising(OperationalError())
    )
    answer = client.get("/admin/" if host == "localhost" else "/")
    assert (answer.status_code, answer["retry-after"]) == (503, "5")
    assert b"The database is not reachable" in answer.content


def test_a_view_of_the_api_whose_database_fails_is_a_503(
    acme: Player, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.authentication.key_by_plaintext", _raising(OperationalError("away")))
    answer = Caller(acme.plaintext).get("/models")
    assert (answer.status_code, answer["content-type"]) == (503, "application/problem+json")
    assert (answer.json()["code"], answer["retry-after"]) == ("database_unavailable", "5")
