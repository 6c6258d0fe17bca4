"""One worker process of one tenant: started, measured, asked to go, killed; owns no decision.

A worker is a session of its own, so that a Ctrl-C at the terminal does not reach it and everything that a task
started can be ended with it. The kernel signals it when the agent dies (PR_SET_PDEATHSIG, prctl(2)).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from core.processes import dies_with_parent, kill_session
from scaling.backends.local.inside import ORPHAN_SECONDS, OUT_OF_MEMORY, STATE_FILE
from scaling.backends.local.limits import Cage, in_the_child, make_cage
from scaling.backends.local.reconcile import Facts, Identity
from scaling.conf import MEBIBYTE, LocalSettings
from scaling.data import WorkerLimits, WorkerStatus, WorkerView

HOME, TENANT = "LUMOS_WORKER_HOME", "LUMOS_WORKER_TENANT"
NO_CAGE = Cage(WorkerLimits(), None, ())
_FOR_WORKERS = frozenset(
    {
        "DATABASE_URL",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LUMOS_BASE_DOMAIN",
        "LUMOS_DEBUG",
        "LUMOS_LOG_JSON",
        "LUMOS_REDIS_ANSWER_SECONDS",
        "LUMOS_REDIS_CONNECT_SECONDS",
        "LUMOS_REDIS_NAMESPACE",
        "LUMOS_SUPERVISOR",
        "LUMOS_VAR",
        "PATH",
        "REDIS_URL",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
_FOR_WORKERS_FROM = ("LC_", "PYTHON", "COV_", "COVERAGE_")
SECRETS = "LUMOS_SECRETS_FILE"
CPU_WINDOW_SECONDS = 15.0
CPU_MIN_SECONDS = 4.0
"""A worker younger than this, counted from ready, is not measured: its start would look like load."""


class Worker:
    """A process and what is known of it. `popen` is None for one that an earlier agent started."""

    def __init__(
        self,
        tenant_id: str,
        process: psutil.Process,
        state_file: Path,
        popen: subprocess.Popen[bytes] | None = None,
        cage: Cage = NO_CAGE,
    ) -> None:
        self.tenant_id = tenant_id
        self.process = process
        self.identity: Identity = (process.pid, process.create_time())
        self.deadline: float | None = None
        self.exit_code: int | None = None
        self._state_file = state_file
        self._popen = popen
        self._cage = cage
        self._over_memory = False
        self._cpu: deque[tuple[float, float]] = deque()
        self._ready_at: float | None = None
        self._status = (WorkerStatus.STARTING, self.identity[1])
        self._rss = 0

    def refresh(self, now: float) -> bool:
        """Read status, CPU time and memory; False when the process has ended (it is reaped then)."""
        if self._has_ended():
            self._clear_away()
            return False
        self._status = self._read_status()
        with suppress(psutil.Error):
            self._rss = self.process.memory_info().rss
            self._note_cpu(now)
        if self._cage.over(self._rss):
            self._over_memory = True
            self.kill()
        return True

    def drain(self, deadline: float) -> None:
        """Ask it to finish its task and go; at `deadline` (epoch seconds) it is killed. Asks once only."""
        first = self.deadline is None
        self.deadline = min(deadline, self.deadline or deadline)
        if first and self._status[0] is not WorkerStatus.DRAINING:
            with suppress(psutil.Error):
                self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole session at once. Its reaping shows in the next `refresh`."""
        if self.process.is_running():
            kill_session(self.identity[0])

    @property
    def facts(self) -> Facts:
        draining = self.deadline is not None
        return Facts(self.identity, WorkerStatus.DRAINING if draining else self._status[0], self._status[1])

    def ready_seconds(self, now: float) -> float:
        return now - self._ready_at if self._ready_at is not None else 0.0

    def view(self, now: float) -> WorkerView:
        pid, created_at = self.identity
        age = max(0, int(now - created_at))
        status, cage = self.facts.status, self._cage
        return WorkerView(pid, created_at, status, self._cpu_percent(), self._rss, age, cage.limits, cage.means)

    def cause_of_death(self) -> str:
        """Why it died on its own, in words for an operator; known once `refresh` returned False."""
        if self._over_memory or self.exit_code == OUT_OF_MEMORY or (self._cage.group and self.exit_code == -9):
            return f"it needed more memory than its {self._cage.limits.memory_bytes // MEBIBYTE} MiB"
        if self.exit_code is not None and self.exit_code < 0:
            return f"signal {-self.exit_code} ended it"
        return f"it ended with exit code {self.exit_code}"

    def _has_ended(self) -> bool:
        """Whether the process is gone or a zombie; does not reap, so its session's id stays its own."""
        if self._popen is not None:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._popen.pid, flags) is not None
        with suppress(psutil.Error):
            return not self.process.is_running() or self.process.status() == psutil.STATUS_ZOMBIE
        return True

    def _clear_away(self) -> None:
        if self._popen is not None:
            kill_session(self._popen.pid)
            self.exit_code = self._popen.wait()
        self._state_file.unlink(missing_ok=True)
        self._cage.remove()

    def _read_status(self) -> tuple[WorkerStatus, float]:
        with suppress(OSError, ValueError):
            word, since = self._state_file.read_text().split()
            return WorkerStatus(word), float(since)
        return WorkerStatus.STARTING, self.identity[1]

    def _note_cpu(self, now: float) -> None:
        if self._status[0] is WorkerStatus.STARTING:
            return
        self._ready_at = self._ready_at or now
        times = self.process.cpu_times()
        self._cpu.append((now, times.user + times.system))
        while len(self._cpu) > 2 and now - self._cpu[1][0] >= CPU_WINDOW_SECONDS:
            self._cpu.popleft()

    def _cpu_percent(self) -> int | None:
        if not self._cpu:
            return None
        (first_at, first), (last_at, last) = self._cpu[0], self._cpu[-1]
        if last_at - first_at < CPU_MIN_SECONDS:
            return None
        return max(0, int(100 * (last - first) / (last_at - first_at)))


def start_worker(tenant_id: str, queue: str, number: int, settings: LocalSettings, limits: WorkerLimits) -> Worker:
    """Start one worker on the tenant's queue, held to `limits`, with this process's standard output as its log."""
    name = f"{tenant_id}.{os.getpid()}.{number}"
    state_file = settings.run_dir / name
    cage = make_cage(limits, base=settings.cgroup, name=name)
    state_file.unlink(missing_ok=True)
    popen = subprocess.Popen(  # noqa: S603 - our own command line
        _command(tenant_id, queue, number, settings),
        cwd=settings.directory,
        env=_environment(tenant_id, state_file, settings),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=in_the_child(cage, dies_with_parent(signal.SIGTERM)),  # noqa: PLW1509 - the agent has one thread
    )
    return Worker(tenant_id, psutil.Process(popen.pid), state_file, popen, cage.as_entered())


def orphans(settings: LocalSettings) -> Iterator[Worker]:
    """Workers of this installation that an earlier agent left behind."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, KeyError):
            environment = process.environ()
            if environment[HOME] == settings.home and process.pid != os.getpid():
                yield Worker(environment[TENANT], process, Path(environment[STATE_FILE]))


def _command(tenant_id: str, queue: str, number: int, settings: LocalSettings) -> list[str]:
    name = f"{tenant_id}.{os.getpid()}.{number}@local"
    app = ["-m", "celery", "-A", settings.celery_app, "worker", "-Q", queue, "-n", name]
    return [sys.executable, *app, "-P", "solo", "--without-gossip", "--without-mingle", "-l", "WARNING"]


def _environment(tenant_id: str, state_file: Path, settings: LocalSettings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _is_for_workers(name)}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "lumos_site.settings.worker",
        "LUMOS_ROLE": "worker",
        SECRETS: str(settings.secrets_file),
        TENANT: tenant_id,
        HOME: settings.home,
        STATE_FILE: str(state_file),
        ORPHAN_SECONDS: str(settings.orphan_seconds),
    }


def _is_for_workers(name: str) -> bool:
    """Whether a tenant's worker gets this variable of the agent: where things are, and nobody's credentials.

    Whatever is not listed stays behind: keys of providers, of mail and of metrics, master keys, and what is new; and
    PROMETHEUS_MULTIPROC_DIR, where its figures would stay for ever.
    """
    return name in _FOR_WORKERS or name.startswith(_FOR_WORKERS_FROM)


def wait_until_gone(workers: list[Worker], deadline: float) -> list[Worker]:
    """Reap until all have ended or `deadline` (epoch seconds) passed; returns those that still run."""
    left = [worker for worker in workers if worker.refresh(time.time())]
    while left and time.time() < deadline:
        time.sleep(0.05)
        left = [worker for worker in left if worker.refresh(time.time())]
    return left
