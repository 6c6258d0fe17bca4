"""Everything that can be known to be wrong before anything is started; each refusal is one sentence."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import time
from pathlib import Path

from lumos_site.supervisor.errors import StartRefused
from lumos_site.supervisor.probes import NotReady, redis_answers

_CLEANING_UP_SECONDS = 15.0


def make_var(var: Path) -> None:
    """Make the directory of this installation's data and try to write there."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        trial = var / f".trial-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise StartRefused(
            f"{var} cannot be written ({error.strerror}); give it to this user, "
            "or set LUMOS_VAR to a directory that is theirs."
        ) from error


def lock_var(var: Path) -> int:
    """The lock that one supervisor holds on var/ while it, or what it started, lives; keep the descriptor open."""
    descriptor = os.open(var / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _CLEANING_UP_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode().strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                raise StartRefused(
                    f"Lumos already runs on {var} (process {holder}); stop it with Ctrl-C or `kill {holder}`, "
                    "or set LUMOS_VAR to another directory for a second one."
                ) from None
            time.sleep(0.1)  # it was killed, and its keeper still ends what it left
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, bound before anything is started and kept through every restart of the web processes."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise StartRefused(f"{host} is no address of this machine; try --host 127.0.0.1 or --host 0.0.0.0.") from error
    listening = socket.socket(family, kind)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise StartRefused(_why_not_bound(host, port, error)) from error
    listening.listen(2048)
    return listening


def _why_not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port % 65_535 + 1
        return f"Port {port} on {host} is in use; stop what listens there, or choose another with --port {other}."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023 with --port."
    return f"{host}:{port} cannot be listened on ({error.strerror}); try --host 127.0.0.1 or --host 0.0.0.0."


def check_redis(url: str) -> None:
    """Refuse a REDIS_URL that cannot work, with the reason."""
    try:
        asyncio.run(asyncio.wait_for(redis_answers(url), 5))
    except (NotReady, TimeoutError) as error:
        reason = str(error) or "no answer within 5 s"
        if "WRONGPASS" in reason or "NOAUTH" in reason:
            raise StartRefused(
                "The server of REDIS_URL refused user and password; correct them in REDIS_URL."
            ) from error
        raise StartRefused(
            f"No Redis answers at REDIS_URL ({reason}); start it, correct the URL, or unset it to use the embedded one."
        ) from error
