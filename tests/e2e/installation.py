"""A whole installation, started by `./lumos up` in a directory of its own; owns its process and what it said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from core.conf import ROOT
from core.processes import dies_with_parent
from lumos_site.embedded.ports import pick_free_port
from tests.codes import app_code

UP_WITHIN_SECONDS = 180
# The installation under test must know nothing of the servers and settings of the test run around it.
_OF_THE_TEST_RUN = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_", "LUMOS_")
_MEASURING = "COVERAGE_"


def open_for_the_servers(place: Path) -> Path:
    """pytest's directories are closed to the account that runs the database when the tests run as root."""
    for folder in (place, *place.parents):
        if folder.name.startswith("pytest-of-"):
            folder.chmod(0o755)
            break
        folder.chmod(0o755)
    return place


@dataclass(slots=True)
class Login:
    """`app_key` is what the authenticator app knows once it is enrolled; each of its codes works once."""

    name: str
    password: str
    app_key: str = ""
    used_codes: set[str] = field(default_factory=set)

    def next_code(self) -> str:
        """A code that was not used yet: the clock may be half a minute off, and then one waits for the next."""
        while True:
            for steps in (0, 1, -1):
                code = app_code(self.app_key, steps=steps)
                if code not in self.used_codes:
                    self.used_codes.add(code)
                    return code
            time.sleep(1)


class Installation:
    """Started by `start`, which may be called again after `stop` or `kill` for a warm start on the same data.

    Where the test run notes which lines run, the processes of a `measured` one do so as well, which makes them slower.
    """

    def __init__(self, var: Path, *options: str, measured: bool = False, **environment: str) -> None:
        self.var, self.port = var, pick_free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        foreign = _OF_THE_TEST_RUN if measured else (*_OF_THE_TEST_RUN, _MEASURING)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env: dict[str, str] = {**kept, "LUMOS_VAR": str(var), "PYTHONPATH": str(ROOT), **environment}
        self._options = options
        self.process: subprocess.Popen[str] | None = None
        self.logins: dict[str, Login] = {}

    def start(self) -> None:
        """Return when the last words of the start are out."""
        self.lines.clear()
        command = [sys.executable, "-m", "lumos_site.supervisor", "up", "--port", str(self.port), *self._options]
        self.process = subprocess.Popen(
            command,
            env={**self.env, "LUMOS_STARTED_AT": repr(time.monotonic())},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # an interrupted run leaves nothing either
        )
        threading.Thread(target=self._collect, args=[self.process], daemon=True).start()
        self.wait_for_line("Stop with Ctrl-C.", UP_WITHIN_SECONDS)
        self._read_logins()

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _read_logins(self) -> None:
        """First run only: `Operator admin` and `Portal of acme`, each followed by its login."""
        for title, login in zip(self.lines, self.lines[1:], strict=False):
            found = re.match(r" +sign in as (\S+) with (\S+)", login)
            if found:
                name = "operator" if "Operator admin" in title else title.split()[2]
                self.logins[name] = Login(found[1], found[2])

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def operator(self) -> Login:
        return self.logins["operator"]

    @property
    def api_keys(self) -> dict[str, str]:
        """Tenant's slug -> key of the demo tenant."""
        keys: dict[str, str] = json.loads((self.var / "demo.json").read_text())
        return keys

    @property
    def state(self) -> Mapping[str, Any]:
        content: dict[str, Any] = json.loads((self.var / "running.json").read_text())
        return content

    @property
    def pids(self) -> dict[str, int]:
        """Component -> process, as of now: a restarted one has a new number."""
        found: dict[str, int] = self.state["pids"]
        return found

    @property
    def server_env(self) -> dict[str, str]:
        """For commands beside the installation: its environment with the addresses of its servers."""
        state = self.state
        return {**self.env, "DATABASE_URL": state["database_url"], "REDIS_URL": state["redis_url"]}

    def portal_url(self, slug: str) -> str:
        return f"http://{slug}.localhost:{self.port}"

    def manage(self, *arguments: str) -> str:
        """Output of `manage.py …` beside the running installation."""
        return self._run([sys.executable, str(ROOT / "manage.py"), *arguments])

    def module(self, name: str, *arguments: str) -> Any:
        """The JSON that `python -m …` prints beside the running installation."""
        return json.loads(self._run([sys.executable, "-m", name, *arguments]))

    def _run(self, command: list[str]) -> str:
        return subprocess.run(
            command, env=self.server_env, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
        ).stdout

    def wait_for_line(self, words: str, seconds: float = 60, *, since: int = 0) -> str:
        """The first line from number `since` on that holds `words`."""
        deadline = time.monotonic() + seconds
        while True:
            for line in list(self.lines)[since:]:
                if words in line:
                    return line
            assert self.process is not None
            ended = self.process.poll()
            assert ended is None or words in self.text, f"ended with {ended}:\n{self.text[-6000:]}"
            assert time.monotonic() < deadline, f"{words!r} was not said:\n{self.text[-6000:]}"
            time.sleep(0.05)

    def wait_until_served(self, path: str = "/readyz", seconds: float = 60) -> None:
        """Return when `path` is answered with 200."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(self.base_url + path, timeout=5).status_code == 200:
                    return
            assert time.monotonic() < deadline, self.text[-6000:]
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop in order; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(60)
        time.sleep(0.1)  # the collector's last lines
        return code

    def kill(self) -> None:
        """As a machine's OOM killer would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        """For fixtures: leave nothing, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
