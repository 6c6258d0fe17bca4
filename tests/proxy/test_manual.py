"""docs/gateway.md tells every setting, error code, endpoint and demo model that there is."""

from __future__ import annotations

from pathlib import Path

from proxy import errors
from proxy.conf import GatewaySettings
from proxy.endpoints import ENDPOINTS
from proxy.providers.demo.script import _BEHAVIOURS

MANUAL = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
NEVER_SENT = {errors.ClientGone.code}


def test_every_setting_is_in_the_manual() -> None:
    names = [name for name in GatewaySettings.__slots__ if name != "trusted_proxies"]
    variables = ["LUMOS_TRUSTED_PROXIES", *(f"LUMOS_GATEWAY_{name.upper()}" for name in names)]
    assert [name for name in variables if f"`{name}`" not in MANUAL] == []


def test_every_error_code_is_in_the_manual() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GatewayError)]
    codes = {kind.code for kind in kinds} - NEVER_SENT
    assert sorted(code for code in codes if f"`{code}`" not in MANUAL) == []


def test_every_endpoint_and_demo_model_is_in_the_manual() -> None:
    wanted = [*(path.rstrip("/") for path, _ in ENDPOINTS), *_BEHAVIOURS]
    assert [name for name in wanted if name not in MANUAL] == []
