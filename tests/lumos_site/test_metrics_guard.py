"""Who may read `/metrics`: who shows the token, and who asks from a network that the operator named."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.conf import ROOT
from lumos_site.asgi import application
from lumos_site.settings.env import env_networks

TOKEN = "a-token-that-only-prometheus-knows"


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    settings.METRICS_NETWORKS = ()


async def scrape(peer: str = "203.0.113.9", host: str = "localhost", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(application, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.get("/metrics", headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1", "::1"])
async def test_a_stranger_who_sends_the_operators_host_name_reads_no_metrics(peer: str) -> None:
    answer = await scrape(peer)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert b"lumos_" not in answer.content


async def test_prometheus_reads_the_metrics_with_its_token_under_any_name_of_the_machine() -> None:
    answer = await scrape(host="10.1.2.3:8000", authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 200
    assert b"python_info" in answer.content


@pytest.mark.parametrize("shown", [f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer", TOKEN, "Bearer é"])
async def test_anything_but_the_token_is_refused(shown: str) -> None:
    answer = await scrape(authorization=shown.encode("latin-1"))
    assert answer.status_code == 401


async def test_the_word_bearer_may_be_written_in_any_case() -> None:
    assert (await scrape(authorization=f"bearer {TOKEN}")).status_code == 200


@pytest.mark.parametrize(
    ("peer", "status"),
    [("10.20.30.40", 200), ("::ffff:10.20.30.40", 200), ("10.21.0.1", 401), ("2001:db8::7", 200), ("2001:db9::7", 401)],
)
async def test_a_named_network_needs_no_token(
    peer: str, status: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.METRICS_NETWORKS = _networks("10.20.0.0/16, 2001:db8::/32", monkeypatch)
    assert (await scrape(peer)).status_code == status


async def test_a_request_that_a_proxy_passed_on_does_not_come_from_the_proxys_network(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.METRICS_NETWORKS = _networks("127.0.0.0/8", monkeypatch)
    assert (await scrape("127.0.0.1")).status_code == 200
    assert (await scrape("127.0.0.1", x_forwarded_for="203.0.113.9")).status_code == 401
    assert (await scrape("127.0.0.1", forwarded="for=203.0.113.9")).status_code == 401


def _networks(text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LUMOS_METRICS_NETWORKS", text)
    return env_networks("LUMOS_METRICS_NETWORKS")


def _command(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "LUMOS_METRICS_TOKEN"}
    return subprocess.run(
        [sys.executable, "manage.py", "metrics-token"],
        env={**kept, "LUMOS_VAR": str(var), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_prints_the_token_of_this_installation_and_nothing_else(tmp_path: Path) -> None:
    first, second = _command(tmp_path), _command(tmp_path)
    assert first.stdout == second.stdout
    assert len(first.stdout) >= 40
    assert first.stdout == json.loads((tmp_path / "secrets.json").read_text())["metrics_token"]
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert _command(tmp_path, LUMOS_METRICS_TOKEN=TOKEN).stdout == TOKEN


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LUMOS_METRICS_TOKEN", "short", "LUMOS_METRICS_TOKEN is too short"),
        ("LUMOS_METRICS_NETWORKS", "10.0.0.0/33", "LUMOS_METRICS_NETWORKS='10.0.0.0/33' is not valid"),
    ],
)
def test_a_guard_that_cannot_be_meant_stops_the_start(tmp_path: Path, name: str, value: str, said: str) -> None:
    ended = _command(tmp_path, **{name: value})
    assert ended.returncode != 0
    assert said in ended.stderr
