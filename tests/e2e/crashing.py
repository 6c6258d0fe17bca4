"""An installation whose parts may be killed: two tenants with prices that leave no digit at nought, and its books."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import redis as redis_library

from core.money import to_micro
from tests.e2e.installation import Installation
from tests.e2e.traffic import Answer, chat, until
from tests.lumos_site.test_supervisor import is_alive

WEBS = ("web-1", "web-2")
TENANTS = ("stark", "wayne")
MIXTURE = [
    chat(stream=True),
    chat(stream=True, question="short"),
    chat(stream=False, model="demo-fast"),
    chat(stream=True, model="demo-fast"),
    chat(stream=True, model="demo-cut"),
    chat(stream=False, model="demo-500"),
]
LEASE_MS = 10_000
# A web process that is killed leaves its reservations; they are charged when their leases end.
ENVIRONMENT = {
    "LUMOS_GATEWAY_TOTAL_MS": str(LEASE_MS - 2_000),
    "LUMOS_GATEWAY_LEASE_SLACK_MS": "2000",
    "LUMOS_GATEWAY_IP_RATE": "10000",
    "LUMOS_GATEWAY_IP_BURST": "10000",
    "LUMOS_PRIVATE_NETWORKS": "127.0.0.0/8",  # providers that tests play
}
_RATES = "requests_per_minute: unlimited, tokens_per_minute: unlimited, concurrent_requests: 1000"
_CONFIGURATION = """
plans:
  torn:
    name: Torn
    currency: USD
    monthly_fee: 7
    prices:
      - meter: input_tokens
        included_units: 700
        tiers: [{up_to: 9000, per_million: 3.337}, {up_to: 50000, per_million: 2.913}, {per_million: 2.111}]
      - {meter: cached_tokens, per_million: 0.777}
      - meter: output_tokens
        tiers: [{up_to: 20000, per_million: 10.773}, {per_million: 9.131}]
      - {meter: requests, charge_model: package, package_size: 7, unit_amount: 0.0131}
    limits: {money_per_month: 100000, tokens_per_month: 1000000000}
tenants:
""" + "".join(
    f"""
  {slug}:
    name: {slug.title()}
    type: ENTERPRISE
    plan: torn
    keys: {{main: {{scopes: [inference, "keys:read", "keys:write", "usage:read"]}}}}
    limits: {{{_RATES}}}
"""
    for slug in TENANTS
)


class CrashingLumos:
    """The installation, its Redis and its tenants' keys."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.keys: dict[str, str] = {}
        self.tenant_ids: dict[str, str] = {}
        self.operator_token = ""

    def start(self) -> None:
        lumos = self.installation
        lumos.start()
        self.apply(_CONFIGURATION)
        made = json.loads((lumos.var / "keys.json").read_text())
        self.keys = {slug: made[slug]["main"] for slug in TENANTS}
        known = lumos.module("tests.e2e.books", "operator-token")
        self.operator_token, self.tenant_ids = known["token"], known["tenants"]
        until(lambda: all(map(self._is_known, TENANTS)), "the gateway knows the keys")

    def add_model(self, name: str, base_url: str) -> None:
        """A model of a provider at `base_url`; returns when both web processes have surely heard of it."""
        provider = f"{{base_url: {base_url}, key: sk-test-0123456789, models: [{name}]}}"
        self.apply(f"providers: {{{name}: {provider}}}\n")
        until(lambda: all(name in self._models() for _ in range(8)), "the model is served")

    def _models(self) -> set[str]:
        answer = httpx.get(f"{self.installation.base_url}/v1/models", headers=self._bearer("stark"), timeout=10)
        return {model["id"] for model in answer.json()["data"]}

    def _bearer(self, slug: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[slug]}"}

    def rest(self, method: str, slug: str, path: str, body: Any = None) -> httpx.Response:
        """An operator's call about a tenant."""
        headers = {"Authorization": f"Bearer {self.operator_token}"}
        address = f"{self.installation.base_url}/api/v1/tenants/ten_{self.tenant_ids[slug]}{path}"
        return httpx.request(method, address, json=body, headers=headers, timeout=60)

    def leases(self, slug: str) -> int:
        """How many requests of the tenant are open."""
        return int(self.redis.zcard(f"lumos:quota:{{{self.tenant_ids[slug]}}}:leases"))

    def serves(self, pid: int, client_port: int) -> bool:
        """Whether the process `pid` holds the server's end of the connection from `client_port`."""
        ends = (f":{self.installation.port:04X}", f":{client_port:04X}")
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        sockets = {f"socket:[{row[9]}]" for row in rows if (row[1][-5:], row[2][-5:]) == ends}
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(descriptor) in sockets:
                    return True
        return False

    def apply(self, text: str) -> None:
        file: Path = self.installation.var / "lumos.yaml"
        file.write_text(text)
        self.installation.manage("apply", str(file), "--yes", "--keys-file", str(self.installation.var / "keys.json"))

    def _is_known(self, slug: str) -> bool:
        address = f"{self.installation.base_url}/v1/models"
        return httpx.get(address, headers=self._bearer(slug), timeout=10).status_code == 200

    @property
    def redis(self) -> redis_library.Redis:
        """A new client each time: the old one's server may be gone."""
        return redis_library.Redis.from_url(self.installation.state["redis_url"], socket_timeout=5)

    def kill(self, *names: str) -> int:
        """kill -9, all at once; returns where in the output to look for their return."""
        since = len(self.installation.lines)
        for name in names:
            os.kill(self.installation.pids[name], signal.SIGKILL)
        return since

    def wait_until_whole(self) -> None:
        """Until every part runs and the site is ready."""
        parts = {"postgres", "valkey", "zygote", "worker", "beat", "agent", *WEBS}
        until(lambda: parts == {name for name, pid in self.installation.pids.items() if is_alive(pid)}, "all run", 120)
        self.installation.wait_until_served(seconds=120)

    def wait_until_back(self, *names: str, since: int) -> None:
        for name in names:
            self.installation.wait_for_line(f"{name} is back after", 120, since=since)

    @contextmanager
    def nothing_is_restarted(self) -> Iterator[None]:
        """Hold the supervisor, so that what is killed stays away for as long as the test looks at that."""
        assert self.installation.process is not None
        os.kill(self.installation.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.installation.process.pid, signal.SIGCONT)

    def everything_is_written(self) -> None:
        """Wait until Redis has no fsync under way: while one is, the server holds back writes it acknowledged."""
        until(lambda: self.redis.info("persistence")["aof_pending_bio_fsync"] == 0, "fsync is done", pause=0)

    def wait_until_quiet(self) -> None:
        """Until every reservation is settled or swept, and every usage event is taken in."""
        self.installation.wait_until_served(seconds=120)
        until(self._is_quiet, "every reservation is closed and every usage event taken in", 90, pause=0.2)

    def _is_quiet(self) -> bool:
        try:
            redis = self.redis
            known = redis.exists("lumos:quota:epoch")
            return bool(known and not redis.zcard("lumos:quota:expiry") and not redis.xlen("lumos:usage"))
        except redis_library.RedisError:
            return False

    def books(self) -> dict[str, Any]:
        self.wait_until_quiet()
        read: dict[str, Any] = self.installation.module("tests.e2e.books")
        return read


def assert_books_agree(books: dict[str, Any], answers: Iterable[Answer]) -> dict[str, dict[str, Any]]:
    """Events = closed reservations = billed units, to the last digit; returns all events by request id."""
    assert books["waiting"] == books["open_reservations"] == books["pending_corrections"] == books["unreadable"] == 0
    assert books["differences"] == []
    events = {}
    for slug in TENANTS:
        _assert_tenant_agrees(books["tenants"][slug])
        events.update({event["id"]: event for event in books["tenants"][slug]["events"]})
    _assert_answers_are_booked(list(answers), events)
    return events


def _assert_tenant_agrees(tenant: dict[str, Any]) -> None:
    events = tenant["events"]
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    assert set(tenant["markers"].values()) <= {"S", "A", "R"}, "a reservation is still open"
    assert set(ids) == {name for name, mark in tenant["markers"].items() if mark in "SA"}
    assert tenant["leases"] == 0

    charged = sum((Decimal(event["charge"]) for event in events), Decimal(0))
    units = {meter: Decimal(quantity) for meter, quantity in tenant["bill_units"].items()}
    assert Decimal(tenant["bill_usage"]) == charged
    assert units["input_tokens"] == sum(event["input"] - event["cached"] for event in events)
    assert units["cached_tokens"] == sum(event["cached"] for event in events)
    assert units["output_tokens"] == sum(event["output"] for event in events)
    assert units["requests"] == sum(event["status"] != "upstream_error" for event in events)

    counters = tenant["counters"]
    assert counters.get("tokens_per_month:used", 0) == sum(event["input"] + event["output"] for event in events)
    assert counters.get("money_per_month:used", 0) == to_micro(charged)
    assert counters.get("tokens_per_month:held", 0) == counters.get("money_per_month:held", 0) == 0


def _assert_answers_are_booked(answers: list[Answer], events: dict[str, dict[str, Any]]) -> None:
    for answer in answers:
        if answer.claims_to_be_whole:
            assert answer.is_whole, answer
        if answer.status == 200:
            assert answer.request_id in events, answer
        elif answer.request_id in events:
            event = events[answer.request_id]
            assert event["status"] == "upstream_error", (answer, event)
            assert event["input"] == event["output"] == 0
