"""Typed settings of the gateway, read once per process from the environment; owns defaults and their units."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from django.core.exceptions import ImproperlyConfigured

# When the app's tasks run: (name, task, seconds).
SCHEDULE = (("proxy: publish configuration when Redis lost it", "proxy.ensure_published", 5.0),)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Rates are requests a second in one process; sizes are bytes; times are seconds unless the name says else."""

    ip_rate: int = 500
    ip_burst: int = 1_000
    ip_table: int = 50_000
    global_rate: int = 20_000
    global_burst: int = 20_000
    trusted_proxies: int = 0
    body_limit: int = 20 * 1024 * 1024
    body_seconds: int = 30
    key_cache: int = 50_000
    unknown_cache: int = 20_000
    unknown_seconds: int = 3
    connect_ms: int = 5_000
    first_byte_ms: int = 120_000
    idle_ms: int = 60_000
    total_ms: int = 600_000
    lease_slack_ms: int = 60_000  # how long a reservation outlives the longest request, before it is swept
    settle_backlog: int = 50_000
    drain_seconds: int = 25
    socket_message_limit: int = 4 * 1024 * 1024
    socket_streams: int = 16


def _whole_number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise ImproperlyConfigured(f"{name}={text!r} is not valid; use a whole number, 0 or more")
    return int(text)


def read_settings() -> GatewaySettings:
    """Each field from `LUMOS_GATEWAY_<FIELD>`; raises ImproperlyConfigured with the name of what is wrong."""
    defaults = GatewaySettings()
    names = [name for name in GatewaySettings.__slots__ if name != "trusted_proxies"]
    values = {name: _whole_number(f"LUMOS_GATEWAY_{name.upper()}", getattr(defaults, name)) for name in names}
    values["trusted_proxies"] = _whole_number("LUMOS_TRUSTED_PROXIES", defaults.trusted_proxies)
    return GatewaySettings(**values)


@cache
def gateway_settings() -> GatewaySettings:
    return read_settings()
