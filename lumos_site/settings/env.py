"""Strict readers of environment variables: a typo stops the start, it never means False."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from core.http import PrivateNetworks, parse_private_networks


def env_bool(name: str, default: bool) -> bool:
    text = os.environ.get(name, "1" if default else "0")
    if text not in ("0", "1"):
        raise ImproperlyConfigured(f"{name}={text!r} is not valid; use 0 or 1")
    return text == "1"


def env_int(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={text!r} is not valid; use a whole number") from error


def env_months(name: str, *, least: int) -> int:
    """For how many months something is kept: 0 for good, else `least` and more."""
    months = env_int(name, 0)
    if months != 0 and months < least:
        raise ImproperlyConfigured(f"{name}={months} is not valid; use 0 to keep all, or {least} and more")
    return months


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def env_networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in env_list(name))
    except ValueError as error:
        text = os.environ[name]
        raise ImproperlyConfigured(f"{name}={text!r} is not valid; use networks such as 10.0.0.0/8,fd00::/8") from error


def env_private_networks(name: str) -> PrivateNetworks:
    """Networks and host names that operators' own providers may be in."""
    try:
        return parse_private_networks(env_list(name))
    except ValueError as error:
        text, example = os.environ[name], "10.0.0.0/8,fd00::/8,ollama"
        raise ImproperlyConfigured(f"{name}={text!r} is not valid; use networks and names such as {example}") from error


def env_token(name: str) -> str | None:
    """A secret that the operator chose, None when there is none. Its value is in no message."""
    text = os.environ.get(name) or None
    if text is not None and len(text) < 20:
        raise ImproperlyConfigured(f"{name} is too short; use at least 20 characters of chance")
    return text


def database_from_url(url: str) -> dict[str, Any]:
    """Django's database dictionary of `postgresql://user:password@host:port/name`."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name")
    return {
        "NAME": parts.path.strip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
    }


_SMTP_PORTS = {"smtp": 587, "smtps": 465}


def smtp_from_url(url: str) -> dict[str, Any]:
    """Django's EMAIL_* of `smtp://user:password@host:587` (STARTTLS), `smtps://…` (TLS at once) or `smtp://…?tls=0`."""
    parts = urlsplit(url)
    if parts.scheme not in _SMTP_PORTS or not parts.hostname or parts.query not in ("", "tls=0"):
        raise ImproperlyConfigured("LUMOS_SMTP_URL must look like smtp://user:password@host:587 or smtps://…@host:465")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or _SMTP_PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and parts.query != "tls=0",
    }
