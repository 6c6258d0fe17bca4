"""Where replicas run, one folder per kind of place; owns the choice among them and nothing else."""

from __future__ import annotations

from scaling.backends.base import Backend
from scaling.backends.local.backend import LocalBackend


def active_backend() -> Backend:
    """Return the backend of this installation. One kind so far: processes of this machine."""
    return LocalBackend()
