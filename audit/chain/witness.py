"""Signed heads kept outside of the database, which is what finds a history that was written anew.

One JSON line for each head, in a file for each month, by default under `var/audit-heads/`. Whoever can change the
database should not be able to change these files too: copy them, or let LUMOS_AUDIT_HEADS name a place that only grows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from django.db.models import F

from audit.chain.links import instant_text
from audit.data import SignedHead
from audit.models import ChainHead
from core.conf import var_dir
from core.errors import InvalidInput


def heads_dir() -> Path:
    return Path(os.environ.get("LUMOS_AUDIT_HEADS") or var_dir() / "audit-heads")


def publish_heads(*, now: datetime) -> int:
    """Append the heads of chains that grew since the last time; returns how many.

    Written and synced first, noted second: a crash in between writes a head twice, which does no harm.
    """
    heads = [row.signed for row in ChainHead.objects.filter(witnessed__lt=F("sequence")).order_by("chain")]
    if not heads:
        return 0
    folder = heads_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{now:%Y-%m}.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(head_line(head) + "\n" for head in heads)
        file.flush()
        os.fsync(file.fileno())
    for head in heads:
        ChainHead.objects.filter(pk=head.chain, witnessed__lt=head.sequence).update(witnessed=head.sequence)
    return len(heads)


def kept_heads(files: Iterable[Path] = (), *, chain: str | None = None) -> list[SignedHead]:
    """The heads in our own files and in those given, of one chain or of all. Raises InvalidInput for a bad line."""
    own = sorted(heads_dir().glob("*.jsonl"))
    return [head for path in (*own, *files) for head in _read(path) if chain in (None, head.chain)]


def head_line(head: SignedHead) -> str:
    return json.dumps({"type": "head", **asdict(head), "sealed_at": instant_text(head.sealed_at)})


def head_of(fields: dict[str, object]) -> SignedHead:
    """The head that a line told. Raises InvalidInput."""
    try:
        texts = [str(fields[name]) for name in ("chain", "hash", "sealed_at", "key_id", "signature")]
        sequence = int(str(fields["sequence"]))
        return SignedHead(texts[0], sequence, texts[1], datetime.fromisoformat(texts[2]), *texts[3:])
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"This is not a signed head: {error}") from error


def _read(path: Path) -> Iterator[SignedHead]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"{path}:{number} is not JSON") from error
            if fields.get("type") == "head":
                yield head_of(fields)
