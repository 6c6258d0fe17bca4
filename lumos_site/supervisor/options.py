"""The command lines of `up` and `serve`; parses and refuses, starts nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

ROLES = ("gateway", "control", "worker", "beat")


@dataclass(frozen=True, slots=True)
class UpOptions:
    host: str
    port: int
    workers: int
    seed: bool
    reset: bool
    yes: bool


@dataclass(frozen=True, slots=True)
class ServeOptions:
    role: str
    host: str
    port: int
    processes: int


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError("must be between 1 and 65535")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./lumos", description="Run Lumos.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run everything on this machine, in the foreground")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    up.add_argument("--port", type=_port, default=8000, help="port to listen on (default %(default)s)")
    up.add_argument("--workers", type=_at_least_one, default=1, help="web processes (default %(default)s)")
    up.add_argument("--no-seed", action="store_true", help="make no operator, plans or demo tenants on the first run")
    up.add_argument("--reset", action="store_true", help="delete all data of the embedded servers first (asks)")
    up.add_argument("--yes", action="store_true", help="with --reset: do not ask")
    serve = commands.add_parser("serve", help="run one role against servers that are already up")
    serve.add_argument("--role", choices=ROLES, required=True)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen on (default %(default)s)")
    serve.add_argument(
        "--processes", type=_at_least_one, default=1, help="processes of this role (default %(default)s)"
    )
    return parser


def parse(arguments: Sequence[str]) -> UpOptions | ServeOptions:
    """Exits with code 2 and the usage on a mistake, as argparse does."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command == "up":
        if given.yes and not given.reset:
            parser.error("--yes means something only together with --reset")
        return UpOptions(given.host, given.port, given.workers, not given.no_seed, given.reset, given.yes)
    if given.role == "beat" and given.processes > 1:
        parser.error("beat runs once: two of them would send each task twice")
    return ServeOptions(given.role, given.host, given.port, given.processes)
