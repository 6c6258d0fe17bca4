"""What every backend offers the loop: take orders, report what runs. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from scaling.data import Fleet, Target


class Backend(Protocol):
    """Orders go in by tenant id; what is not named in an order is left as it is.

    A backend treats no order as "no change", never as zero.
    """

    def publish(self, targets: Mapping[str, Target]) -> None:
        """Ask for these numbers of replicas; returns before they run. Raises core.errors.Unavailable."""
        ...

    def fleet(self) -> Fleet | None:
        """Return the last report, however old, or None when there never was one. Raises Unavailable."""
        ...

    def forget(self, tenant_id: str) -> None:
        """Drop the order for a tenant of which nothing runs and nothing will. Raises Unavailable."""
        ...
