"""The master keys of this installation, by version; owns where they come from, and that none is made by accident.

They encrypt other keys and nothing else. A version is an environment variable LUMOS_MASTER_KEY_V<n> or an entry
`master_key_v<n>` of the secrets file: 32 bytes in base64. Where one that is wanted is missing, or is not the one that
the installation was set up with, whatever needs it raises Sealed: nothing is ever made in its place, since what the
true one wrapped could then not be told from waste.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets as random
from collections.abc import Callable, Mapping

from core.conf import secrets
from core.errors import Unavailable

BYTES = 32
_ENV = re.compile(r"LUMOS_MASTER_KEY_V([1-9][0-9]*)")
_CURRENT = "master_key_current"
_MARK = b"lumos key-encryption key"


class Sealed(Unavailable):
    code = "sealed"
    title = "This installation is sealed: its master key is missing or is another one"

    def __init__(self, message: str = "") -> None:
        super().__init__(message, next_step="Put the secrets file back that this installation was set up with")


Ask = Callable[[], Mapping[int, str] | None]
_expected: dict[int, str] = {}
_to_ask: list[Ask] = []


def expect(fingerprints: Mapping[int, str]) -> None:
    """Tell this process which keys the installation was set up with; from now on no other one is taken for them."""
    _to_ask.clear()
    _expected.clear()
    _expected.update(fingerprints)


def expect_what(ask: Ask) -> None:
    """Have this process ask before it takes a key for the first time, unless it was told until then.

    `ask` returns None while nobody can tell: it is asked again before the next key.
    """
    _to_ask[:] = [ask]


def _asked() -> dict[int, str]:
    if _to_ask and (told := _to_ask[0]()) is not None:
        expect(told)
    return _expected


def current_version() -> int:
    """The version that new things are wrapped with."""
    given = os.environ.get("LUMOS_MASTER_KEY_CURRENT") or secrets().find(_CURRENT)
    return int(given) if given else max(_versions_in_environment(), default=1)


def _versions_in_environment() -> list[int]:
    return [int(found[1]) for name in os.environ if (found := _ENV.fullmatch(name)) and os.environ[name]]


def master_key(version: int) -> bytes:
    """The key of that version; raises Sealed."""
    key = find(version)
    if key is None:
        raise Sealed(f"Version {version} of this installation's master key is missing")
    expected = _asked()
    if version in expected and not hmac.compare_digest(expected[version], fingerprint(key)):
        raise Sealed(f"Version {version} of the master key is not the one that this installation was set up with")
    return key


def find(version: int) -> bytes | None:
    """The key of that version as it is found, whether or not it is the right one. Raises Sealed for no key at all."""
    text = os.environ.get(f"LUMOS_MASTER_KEY_V{version}") or secrets().find(_name(version))
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != BYTES:
        raise Sealed(f"Version {version} of the master key is no key: it must be {BYTES} bytes in base64")
    return key


def is_from_environment(version: int) -> bool:
    return bool(os.environ.get(f"LUMOS_MASTER_KEY_V{version}"))


def is_chosen_by_environment() -> bool:
    """Whether the environment says which version is current, so that `choose` changes nothing."""
    return bool(os.environ.get("LUMOS_MASTER_KEY_CURRENT"))


def fingerprint(key: bytes) -> str:
    """What may be written down of a key to know it again: 128 bits of its HMAC-SHA256 over a constant."""
    return hmac.new(key, _MARK, hashlib.sha256).hexdigest()[:32]


def make(version: int) -> bytes:
    """The key of that version, made and put into the secrets file when there is none yet. For the set-up only."""
    if not is_from_environment(version):
        secrets().get(_name(version), lambda: base64.b64encode(random.token_bytes(BYTES)).decode())
    return master_key(version)


def choose(version: int) -> None:
    """New things are wrapped with that version from now on, in all processes that share the secrets file."""
    secrets().put({_CURRENT: str(version)})


def forget(version: int) -> None:
    """Take the key out of the secrets file, for good."""
    secrets().put({_name(version): None})


def lacking() -> set[int]:
    """The versions that this process needs and does not have: the current one, and those that it was told to expect."""
    return {version for version in {current_version(), *_asked()} if not _has(version)}


def _has(version: int) -> bool:
    try:
        master_key(version)
    except Sealed:
        return False
    return True


def is_sealed() -> bool:
    return bool(lacking())


def _name(version: int) -> str:
    return f"master_key_v{version}"
