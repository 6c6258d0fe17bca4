"""`./lumos up` as its user runs it: first words, first answer, crashes of each part, a clean end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.e2e.installation import Installation
from tests.lumos_site.test_supervisor import is_alive

pytestmark = pytest.mark.e2e
COMPONENTS = {"postgres", "valkey", "zygote", "web", "worker", "beat", "agent"}


def processes_of(installation: Installation) -> list[int]:
    """Every process that knows this installation's var/, from the whole machine."""
    needle = f"LUMOS_VAR={installation.var}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                arguments = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if needle in environment or str(installation.var).encode() in arguments:
                found.append(int(folder.name))
    return [pid for pid in found if is_alive(pid)]


def test_the_last_words_let_a_newcomer_act(running_lumos: Installation) -> None:
    text = running_lumos.text
    assert f"http://localhost:{running_lumos.port}/admin/" in text
    assert f"http://acme.localhost:{running_lumos.port}/" in text
    assert running_lumos.operator.password
    assert running_lumos.api_keys["acme"].startswith("lum_")


def test_the_curl_line_streams_an_answer_when_pasted(running_lumos: Installation) -> None:
    line = next(line for line in running_lumos.lines if line.startswith("curl "))
    answer = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=60, check=True).stdout
    chunks = [chunk for chunk in answer.splitlines() if chunk.startswith("data: ")]
    assert len(chunks) > 3
    assert chunks[-1] == "data: [DONE]"


def test_every_component_runs_and_the_start_was_measured(running_lumos: Installation) -> None:
    assert set(running_lumos.pids) == COMPONENTS
    for name in (*COMPONENTS, "prepare", "check"):
        assert re.search(rf"^  {name} +\d+\.\d+s +\d+\.\d+s +\d+\.\d+s$", running_lumos.text, re.MULTILINE), name
    assert re.search(r"parallel efficiency \d\.\d\d", running_lumos.text)


def test_the_zygote_holds_nothing_that_its_forks_could_share_by_mistake(running_lumos: Installation) -> None:
    process = Path(f"/proc/{running_lumos.pids['zygote']}")
    assert len(list((process / "task").iterdir())) == 1, "a thread"
    sockets = [entry.name for entry in (process / "fd").iterdir() if os.readlink(entry).startswith("socket:")]
    assert len(sockets) == 1, "only the supervisor's"


def test_each_role_tells_the_database_its_name(running_lumos: Installation) -> None:
    seen, deadline = set(), time.monotonic() + 20
    with psycopg.connect(running_lumos.state["database_url"], autocommit=True) as connection:
        while not {"lumos-web", "lumos-beat", "lumos-worker"} <= seen:  # some sessions last for one question only
            assert time.monotonic() < deadline, seen
            seen |= {name for (name,) in connection.execute("SELECT application_name FROM pg_stat_activity")}


def test_nothing_listens_on_other_addresses(running_lumos: Installation) -> None:
    listening = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True).stdout
    ours = {str(pid) for pid in running_lumos.pids.values()}
    lines = [line for line in listening.splitlines() if any(f"pid={pid}," in line for pid in ours)]
    assert lines
    assert all("127.0.0.1:" in line.split()[3] for line in lines)


def test_passwords_are_in_no_log_and_no_command_line(running_lumos: Installation) -> None:
    secrets = [value for value in (running_lumos.var / "secrets.json").read_text().split('"') if len(value) > 30]
    assert secrets
    assert not any(secret in running_lumos.text for secret in secrets)
    for pid in running_lumos.pids.values():
        command = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(secret in command for secret in secrets)


@pytest.mark.parametrize("name", ["worker", "beat", "agent", "web", "zygote", "valkey", "postgres"])
@pytest.mark.faults
def test_a_killed_component_comes_back_and_is_used(running_lumos: Installation, name: str) -> None:
    since = len(running_lumos.lines)
    before = running_lumos.pids[name]
    os.kill(before, signal.SIGKILL)
    running_lumos.wait_for_line(f"{name} is back after", since=since)
    assert running_lumos.pids[name] != before
    running_lumos.wait_until_served()


@pytest.mark.faults
def test_no_connection_is_refused_while_the_web_process_is_replaced(running_lumos: Installation) -> None:
    os.kill(running_lumos.pids["web"], signal.SIGKILL)
    assert httpx.get(f"{running_lumos.base_url}/livez", timeout=30).status_code == 200


def test_a_second_up_on_the_same_var_is_refused(running_lumos: Installation) -> None:
    second = Installation(running_lumos.var)
    with pytest.raises(AssertionError, match="Lumos already runs on"):
        second.start()
    running_lumos.wait_until_served()


def _assert_one_process_answers_for_all(lumos: Installation) -> None:
    """Every connection may end at the other process; the sums are those of both, and worker and beat are in them."""
    asked, key = 12, lumos.api_keys["acme"]
    question = {"model": "demo-chat", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    for _ in range(asked):
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{lumos.base_url}/v1/chat/completions", json=question, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
    token = lumos.manage("metrics-token")
    deadline = time.monotonic() + 20
    for _ in range(6):
        while True:
            text = httpx.get(f"{lumos.base_url}/metrics", headers={"Authorization": f"Bearer {token}"}).text
            counted = re.findall(
                r'lumos_gateway_requests_total\{endpoint="chat.completions",outcome="ok"\} (\d+)', text
            )
            if sum(map(int, counted)) == asked:
                break
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
    for name in ("web-1", "web-2", "worker", "beat", "agent", "zygote"):
        assert f'process_unique_memory_bytes{{process="{name}"}}' in text
    assert "lumos_billing_usage_backlog" in text, "counted by the worker"


@pytest.mark.faults
def test_a_life_from_cold_to_killed_to_warm_to_stopped(make_installation: Callable[..., Installation]) -> None:
    lumos = make_installation("--workers", "2")
    lumos.start()
    assert {"web-1", "web-2"} < set(lumos.pids)
    assert lumos.operator.name
    keys = lumos.api_keys
    _assert_one_process_answers_for_all(lumos)

    lumos.kill()
    deadline = time.monotonic() + 30
    while processes_of(lumos):
        assert time.monotonic() < deadline, processes_of(lumos)
        time.sleep(0.1)

    lumos.start()
    assert "sign in as" not in lumos.text
    assert not any("| " in line and "prepare" in line.split("|")[0] for line in lumos.lines), "nothing to migrate"
    assert lumos.api_keys == keys
    assert lumos.stop() == 0
    assert processes_of(lumos) == []
    order = [lumos.text.index(words) for words in ("stopping", "received fast shutdown request", "lumos     | stopped")]
    assert order == sorted(order)


def test_without_seed_nothing_is_made_and_everything_runs(make_installation: Callable[..., Installation]) -> None:
    lumos = make_installation("--no-seed")
    lumos.start()
    assert lumos.logins == {}
    assert not (lumos.var / "demo.json").exists()
    lumos.wait_until_served()
    assert httpx.get(f"{lumos.base_url}/v1/models", timeout=10).status_code == 401


def test_reset_makes_a_new_installation(make_installation: Callable[..., Installation]) -> None:
    first = make_installation()
    first.start()
    first.stop()
    again = Installation(first.var, "--reset", "--yes")
    try:
        again.start()
        assert again.operator.password != first.operator.password
    finally:
        again.end()


@pytest.mark.parametrize("role", ["gateway", "control"])
def test_a_role_alone_serves_its_own_part_beside_the_installation(running_lumos: Installation, role: str) -> None:
    from lumos_site.embedded.ports import pick_free_port

    port = pick_free_port()
    environment = dict(running_lumos.server_env)
    if role == "gateway":
        del environment["DATABASE_URL"]
    process = subprocess.Popen(
        ["./lumos", "serve", "--role", role, "--port", str(port), "--processes", "2"],
        cwd=Path(__file__).parent.parent.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if f"{role} is up on http://localhost:{port}" in line:
                break
        else:
            pytest.fail("".join(said))
        key = running_lumos.api_keys["acme"]
        models = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=10)
        admin = httpx.get(f"http://127.0.0.1:{port}/admin/login/", timeout=30)
        assert (models.status_code, admin.status_code) == ((200, 404) if role == "gateway" else (404, 200))
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
