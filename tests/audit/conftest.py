"""A log with something in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import api
from core.clock import utc_now
from core.ids import new_ulid


@pytest.fixture(autouse=True)
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where signed heads are kept, empty for each test."""
    monkeypatch.setenv("LUMOS_AUDIT_HEADS", str(tmp_path / "heads"))
    return tmp_path / "heads"


def write(tenant_id: str, count: int, action: str = "tests.act") -> None:
    for number in range(count):
        api.record(action, actor=api.SYSTEM, tenant_id=tenant_id, target=str(number), detail={"n": number})


@pytest.fixture
def hooli(db: None) -> str:
    """A tenant's chain of eight sealed links."""
    tenant_id = new_ulid()
    write(tenant_id, 8)
    api.seal_waiting(now=utc_now())
    return tenant_id
