"""The file itself: a tar of manifest, dump and shared rows inside a sealed stream; owns its layout and its keys.

The manifest comes first and says what the rest must be. The file's key is random and sealed in the header under the
tenant's data key, for this file: a header that was moved to another file does not open it, and none opens, wherever a
copy of it lies, once the tenant is deleted.
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, cast

from core.crypto import SealBroken, unseal
from core.sealed_stream import SealedReader, SealedWriter, read_header
from tenants.backups.contents import TableProof
from tenants.errors import BackupFailed
from tenants.models import TenantBackup
from tenants.services.data_keys import seal_for_tenant, unseal_for_tenant

MANIFEST, DUMP = "manifest.json", "schema.dump"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file holds. `own` are the tenant's tables, `shared` its rows of the tables of all tenants."""

    backup: str
    schema: str
    tenant: Mapping[str, str]
    created_at: str
    own: Mapping[str, TableProof]
    shared: Mapping[str, TableProof]
    version: int = _VERSION

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        given: dict[str, Any] = json.loads(text)
        if given["version"] != _VERSION:
            raise BackupFailed(f"This backup has format {given['version']}; this Lumos reads {_VERSION}")
        for part in ("own", "shared"):
            given[part] = {table: TableProof(**proof) for table, proof in given[part].items()}
        return cls(**given)


def _place(header: Mapping[str, str]) -> dict[str, str]:
    return {
        "tenant_id": header["tenant"],
        "table": "tenants_tenantbackup",
        "row": header["backup"],
        "field": "key",
    }


def _opened_key(header: Mapping[str, str]) -> str:
    """The file's key. Files that were made before tenants had data keys are sealed with the master key itself."""
    if header["key"].startswith("v1."):
        return unseal(header["key"], context=f"tenants.backup:{header['tenant']}:{header['backup']}")
    return unseal_for_tenant(header["key"], **_place(header))


def write_archive(target: BinaryIO, manifest: Manifest, dump: IO[bytes], shared: Mapping[str, IO[bytes]]) -> None:
    """Seal all parts into `target`. The parts are read from their beginning."""
    key = secrets.token_bytes(32)
    header = {"tenant": manifest.tenant["id"], "backup": manifest.backup}
    header["key"] = seal_for_tenant(base64.b64encode(key).decode(), **_place(header))
    sealed = SealedWriter(target, key, header)
    with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, io.BytesIO(manifest.to_json()))
        _add(tar, DUMP, dump)
        for table, rows in shared.items():
            _add(tar, f"shared/{table}.jsonl", rows)
    sealed.close()


def _add(tar: tarfile.TarFile, name: str, part: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = part.seek(0, io.SEEK_END)
    part.seek(0)
    tar.addfile(entry, part)


@contextmanager
def opened(source: BinaryIO, backup: TenantBackup) -> Iterator[tuple[Manifest, Iterator[tuple[str, IO[bytes]]]]]:
    """Manifest and the parts after it, in order; each part is to be read before the next is asked for.

    Raises SealBroken when the file was changed, cut or sealed for another installation.
    """
    header = read_header(source)
    if (header.get("tenant"), header.get("backup")) != (backup.tenant_id, backup.id):
        raise SealBroken("This file belongs to another backup")
    key = base64.b64decode(_opened_key(header))
    with tarfile.open(fileobj=cast(IO[bytes], SealedReader(source, key, header)), mode="r|") as tar:
        parts = _parts(tar)
        name, text = next(parts, ("", io.BytesIO()))
        if name != MANIFEST:
            raise BackupFailed("The first part of this backup is no manifest")
        yield Manifest.from_json(text.read()), parts


def _parts(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for entry in tar:
        part = tar.extractfile(entry)
        if part is None:
            raise BackupFailed(f"{entry.name} in this backup is no file")
        yield entry.name, part


@contextmanager
def unnamed_file() -> Iterator[IO[bytes]]:
    """A temporary file without a name: nobody else can open it, and it is gone with the process."""
    with TemporaryFile() as file:
        yield file
