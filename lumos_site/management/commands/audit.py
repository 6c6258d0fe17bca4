"""`./lumos audit`: check the audit log's hash chains, export one with its signed head, show keys, adopt."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from audit.api import (
    PLATFORM,
    Actor,
    ChainReport,
    adopt_chain,
    check_chains,
    check_lines,
    export_chain,
    note_export,
    public_keys,
    seal_waiting,
    waiting_count,
)
from core.clock import utc_now
from core.errors import LumosError
from core.ids import is_ulid, prefixed
from core.tenancy import platform_scope


class Command(BaseCommand):
    help = "Check, export and vouch for the hash chains of the audit log."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser("verify", help="name the first bad link of each chain; exit code 1 when there is one")
        verify.add_argument("chain", nargs="?", help="ten_… or platform (default: all)")
        verify.add_argument(
            "--heads", type=Path, nargs="*", default=[], help="further files of signed heads that were kept elsewhere"
        )
        verify.add_argument("--file", type=Path, help="check this export instead of the database")
        verify.add_argument("--public-key", nargs="*", help="for --file: keys to trust (default: this installation's)")
        export = verbs.add_parser("export", help="write a chain as JSON lines, its signed head last")
        export.add_argument("chain", help="ten_… or platform")
        export.add_argument("--after", type=int, default=0, help="only the links behind this number")
        export.add_argument("--output", type=Path, help="file to write (default: standard output)")
        verbs.add_parser("keys", help="show the public keys that heads are signed with")
        adopt = verbs.add_parser("adopt", help="sign the head of a frozen chain anew, as it stands")
        adopt.add_argument("chain", help="ten_… or platform")
        adopt.add_argument("--reason", required=True, help="why; becomes part of the chain")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "verify": self._verify,
            "export": self._export,
            "keys": self._keys,
            "adopt": self._adopt,
        }
        with platform_scope():
            try:
                verbs[options["verb"]](options)
            except LumosError as error:
                raise CommandError(str(error.message)) from error
            except DatabaseError as error:
                raise CommandError(f"The database refused: {error}. Is it migrated? Run: ./lumos prepare") from error
            except OSError as error:
                raise CommandError(f"{error.filename} cannot be used: {error.strerror}") from error

    def _verify(self, options: dict[str, Any]) -> None:
        links, broken, count = 0, 0, 0
        for report in self._reports(options):
            count, links = count + 1, links + report.links
            if report.fault is not None:
                broken += 1
                where = f" at link {report.fault.sequence}" if report.fault.sequence else ""
                self.stdout.write(f"BROKEN {_shown(report.chain)}{where}: {report.fault.sentence}")
        waiting = "" if options["file"] else f" {waiting_count()} entries wait to be sealed."
        self.stdout.write(f"{count} chains, {links} links hold.{waiting}")
        if broken:
            raise CommandError(f"{broken} of {count} chains are broken.")

    def _reports(self, options: dict[str, Any]) -> Iterator[ChainReport]:
        if options["file"] is None:
            chain = _chain(options["chain"]) if options["chain"] else None
            yield from check_chains(now=utc_now(), chain=chain, files=options["heads"])
            return
        keys = public_keys()
        if options["public_key"]:
            keys = dict(pair.split("=", 1) for pair in options["public_key"] if "=" in pair)
        with options["file"].open(encoding="utf-8") as lines:
            yield check_lines(lines, keys=keys)

    def _export(self, options: dict[str, Any]) -> None:
        chain, after = _chain(options["chain"]), options["after"]
        seal_waiting(now=utc_now())
        note_export(chain, after=after, acting=_actor("export"))
        lines = export_chain(chain, after=after)
        if options["output"] is None:
            for line in lines:
                self.stdout.write(line)
            return
        first = next(lines)  # raises for an unknown chain before the file is touched
        with options["output"].open("w", encoding="utf-8") as file:
            file.write(first + "\n")
            file.writelines(line + "\n" for line in lines)

    def _keys(self, options: dict[str, Any]) -> None:
        for key_id, public in public_keys().items():
            self.stdout.write(f"{key_id}={public}")

    def _adopt(self, options: dict[str, Any]) -> None:
        chain, reason = _chain(options["chain"]), options["reason"]
        head = adopt_chain(chain=chain, reason=reason, acting=_actor("adopt"), now=utc_now())
        self.stdout.write(f"{_shown(head.chain)} goes on after link {head.sequence}, signed with {head.key_id}.")


def _chain(text: str) -> str:
    chain = text.removeprefix("ten_")
    if chain != PLATFORM and not is_ulid(chain):
        raise CommandError(f"{text} is no chain; give ten_… or {PLATFORM}")
    return chain


def _shown(chain: str) -> str:
    return chain if chain == PLATFORM else prefixed("ten", chain)


def _actor(verb: str) -> Actor:
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "somebody"
    return Actor("system", f"audit {verb}", f"{account} by ./lumos audit {verb}")
