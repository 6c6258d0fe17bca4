"""What surrounds every REST answer: idempotency, rate limits, request ids, problem documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis as redis_library

from core.redis import key
from core.rest import idempotency, throttle
from core.rest.principal import Principal
from tenants.api import Tenant
from tenants.provisioning.retire import forget_in_redis, remains_of
from tests.cast import Operator, Player
from tests.rest import Caller, path_of

pytestmark = pytest.mark.django_db
NEW = {"slug": "hooli", "name": "Hooli", "type": "ENTERPRISE"}


class Away:
    """A Redis that cannot be reached."""

    def __getattr__(self, _name: str) -> Any:
        raise redis_library.ConnectionError


def _keyed(name: str) -> dict[str, str]:
    return {"HTTP_IDEMPOTENCY_KEY": name}


def test_the_same_request_twice_has_one_effect_and_one_answer(olivia: Operator, redis: redis_library.Redis) -> None:
    caller = Caller(olivia.token)
    first, second = (caller.post("/tenants", NEW, **_keyed("k1")) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Tenant.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(olivia: Operator, redis: redis_library.Redis) -> None:
    caller = Caller(olivia.token)
    caller.post("/tenants", NEW, **_keyed("k1"))
    answer = caller.post("/tenants", {**NEW, "slug": "other"}, **_keyed("k1"))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_second_request_while_the_first_runs_is_told_to_wait(
    olivia: Operator, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, seen = Caller(olivia.token), []
    create = idempotency.Claim.finish

    def during(claim: idempotency.Claim, response: Any) -> None:
        monkeypatch.setattr(idempotency.Claim, "finish", create)
        seen.append(caller.post("/tenants", NEW, **_keyed("k1")))
        create(claim, response)

    monkeypatch.setattr(idempotency.Claim, "finish", during)
    assert caller.post("/tenants", NEW, **_keyed("k1")).status_code == 201
    assert (seen[0].status_code, seen[0].json()["code"]) == (409, "idempotency_in_flight")
    assert seen[0]["Retry-After"] == "1"


def test_a_key_belongs_to_its_caller(olivia: Operator, acme: Player, redis: redis_library.Redis) -> None:
    body = {"name": "ci", "scopes": ["keys:read"]}
    by_key = Caller(acme.plaintext).post(path_of(acme.tenant, "/keys"), body, **_keyed("k1"))
    by_operator = Caller(olivia.token).post(path_of(acme.tenant, "/keys"), body, **_keyed("k1"))
    assert by_key.json()["id"] != by_operator.json()["id"]


def test_a_created_key_is_not_readable_in_redis(acme: Player, redis: redis_library.Redis) -> None:
    body = {"name": "ci", "scopes": ["keys:read"]}
    secret = Caller(acme.plaintext).post(path_of(acme.tenant, "/keys"), body, **_keyed("k1")).json()["key"]
    names = list(redis.scan_iter(key("rest", "idempotency", "*")))
    assert len(names) == 1
    assert 0 < redis.ttl(names[0]) <= idempotency.KEEP_SECONDS
    assert secret.encode() not in (redis.get(names[0]) or b"")


def test_an_answer_goes_with_the_tenant_that_it_is_about(
    olivia: Operator, acme: Player, redis: redis_library.Redis
) -> None:
    """Also what an operator was answered, and the answer of making the tenant, whose claim was there before its id."""
    body = {"name": "ci", "scopes": ["keys:read"]}
    caller = Caller(olivia.token)
    Caller(acme.plaintext).post(path_of(acme.tenant, "/keys"), body, **_keyed("k1"))
    caller.post(path_of(acme.tenant, "/keys"), body, **_keyed("k1"))
    hooli = Tenant.objects.get(slug=caller.post("/tenants", NEW, **_keyed("k1")).json()["slug"])
    names = sorted(redis.scan_iter(key("rest", "idempotency", "*")))
    owners = [name.decode().split(":")[-2] for name in names]
    assert sorted(owners) == sorted([acme.tenant.id, acme.tenant.id, hooli.id, "platform"])
    assert all(0 < redis.ttl(name) <= idempotency.KEEP_SECONDS for name in names)
    assert caller.post("/tenants", NEW, **_keyed("k1"))["Idempotent-Replayed"] == "true"
    for tenant in (acme.tenant, hooli):
        assert len(remains_in_redis(tenant.id)) == owners.count(tenant.id)
        forget_in_redis(tenant.id)
        assert remains_in_redis(tenant.id) == []
    assert b"hooli" not in b"".join(redis.get(name) or b"" for name in redis.scan_iter(key("rest", "idempotency", "*")))
    gone = caller.post("/tenants", NEW, **_keyed("k1"))
    assert (gone.status_code, gone.json()["code"]) == (409, "idempotent_answer_gone")


def test_an_answer_from_before_the_upgrade_is_given_again(
    olivia: Operator, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, before = Caller(olivia.token), idempotency._name_before
    with monkeypatch.context() as earlier:  # the version that kept them without their tenant's id
        earlier.setattr(idempotency, "_name", lambda owner, digest: before(digest))
        earlier.setattr(idempotency, "_name_before", lambda digest: key("nothing"))
        first = caller.post("/tenants", NEW, **_keyed("k1"))
    for _time in range(2):
        again = caller.post("/tenants", NEW, **_keyed("k1"))
        assert (again.status_code, again.json()) == (201, first.json())
        assert again["Idempotent-Replayed"] == "true"
    other = caller.post("/tenants", {**NEW, "slug": "other"}, **_keyed("k1"))
    assert other.json()["code"] == "idempotency_key_reused"


def remains_in_redis(tenant_id: str) -> list[str]:
    return [name for name in remains_of(tenant_id) if ":rest:idempotency:" in name]


def test_a_fault_of_ours_frees_the_key(
    olivia: Operator, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(olivia.token)
    caller._client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("tenants.views.create_tenant", lambda **_: 1 / 0)
        answer = caller.post("/tenants", NEW, **_keyed("k1"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "division" not in answer.content.decode()
    assert caller.post("/tenants", NEW, **_keyed("k1")).status_code == 201


def test_an_answer_that_redis_could_not_keep_still_reaches_its_caller(
    acme: Player, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the new key, which nobody could ever see again."""
    taken = idempotency._take

    def then_redis_dies(mine: idempotency.Claim) -> idempotency.Claim:
        claim = taken(mine)
        monkeypatch.setattr(idempotency, "control", Away)
        return claim

    monkeypatch.setattr(idempotency, "_take", then_redis_dies)
    body = {"name": "ci", "scopes": ["keys:read"]}
    answer = Caller(acme.plaintext).post(path_of(acme.tenant, "/keys"), body, **_keyed("k1"))
    assert answer.status_code == 201
    assert answer.json()["key"].startswith("lum_live_")


def test_without_redis_a_keyed_request_is_refused_rather_than_run_twice(
    olivia: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "control", Away)
    answer = Caller(olivia.token).post("/tenants", NEW, **_keyed("k1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert Tenant.objects.count() == 0


@pytest.mark.parametrize("name", ["", "two words", "x" * 256])
def test_a_malformed_idempotency_key_is_refused(olivia: Operator, redis: redis_library.Redis, name: str) -> None:
    assert Caller(olivia.token).post("/tenants", NEW, **_keyed(name)).status_code == 400


def test_the_minutes_quota_counts_down_and_then_refuses(
    acme: Player, redis: redis_library.Redis, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REST_REQUESTS_PER_MINUTE = 2
    monkeypatch.setattr(throttle.time, "time", lambda: 6_000_000_010.0)
    caller = Caller(acme.plaintext)
    first, second, third = (caller.get(path_of(acme.tenant)) for _ in range(3))
    assert (first["RateLimit"], second["RateLimit"]) == ('"rpm";r=1;t=50', '"rpm";r=0;t=50')
    assert first["RateLimit-Policy"] == '"rpm";q=2;w=60'
    assert (third.status_code, third["Retry-After"], third.json()["code"]) == (429, "50", "rate_limit_exceeded")


def test_without_redis_a_tenth_of_the_quota_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REST_REQUESTS_PER_MINUTE = 20

    def away() -> Any:
        raise redis_library.ConnectionError

    monkeypatch.setattr(throttle, "control", away)
    caller = Principal("key", "key_1", "first")
    throttle.count_request(caller, 60.0)
    throttle.count_request(caller, 60.0)
    with pytest.raises(throttle.CallerLimited):
        throttle.count_request(caller, 60.0)
    throttle.count_request(caller, 120.0)


def test_a_request_id_is_taken_over_when_it_is_harmless(olivia: Operator, redis: redis_library.Redis) -> None:
    caller = Caller(olivia.token)
    assert caller.get("/tenants", HTTP_X_REQUEST_ID="trace-12345")["x-request-id"] == "trace-12345"
    assert caller.get("/tenants", HTTP_X_REQUEST_ID="a b")["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("get", "/nothing", 404), ("delete", "/tenants", 405), ("get", "/tenants/acme", 404)]
)
def test_wrong_addresses_and_methods_are_problem_documents(
    olivia: Operator, redis: redis_library.Redis, method: str, path: str, status: int
) -> None:
    answer = getattr(Caller(olivia.token), method)(path)
    assert answer.status_code == status
    assert answer["content-type"] == "application/problem+json"
    assert json.loads(answer.content)["status"] == status


def test_broken_json_is_told_as_such(olivia: Operator, redis: redis_library.Redis) -> None:
    answer = Caller(olivia.token).post("/tenants", "{")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
