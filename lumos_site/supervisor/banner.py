"""The last words of a start: where everything is and a line to paste; pure text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_RULE = "─" * 100


@dataclass(frozen=True, slots=True)
class Welcome:
    """`operator` is (name, password), known on the first run only; `demo_keys` maps a tenant's slug to its key."""

    base_url: str
    portal_urls: Mapping[str, str] = field(default_factory=dict)
    operator: tuple[str, str] | None = None
    demo_keys: Mapping[str, str] = field(default_factory=dict)
    demo_model: str = "demo-chat"


def welcome_lines(welcome: Welcome) -> list[str]:
    base = welcome.base_url
    lines = [_RULE, "  Lumos is up.", ""]
    lines.append(f"  Operator admin   {base}/admin/")
    lines += [f"  Tenant portal    {url}   ({slug})" for slug, url in welcome.portal_urls.items()]
    lines.append(f"  API docs         {base}/api/docs/")
    if welcome.operator:
        name, password = welcome.operator
        lines += ["", f"  Operator         {name}", f"  Password         {password}   (shown this once: keep it)"]
    if welcome.demo_keys:
        slug, key = next(iter(welcome.demo_keys.items()))
        lines += [
            "",
            f"  Demo API key     {key}   ({slug})",
            "",
            "  Stream a first answer:",
            "",
            *_curl(base, key, welcome.demo_model),
        ]
    return [*lines, "", "  Stop with Ctrl-C.", _RULE]


def _curl(base: str, key: str, model: str) -> list[str]:
    body = f'{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return [f"curl -N {base}/v1/chat/completions {headers} -d '{body}'"]


def url_host(host: str) -> str:
    """The name to type into a browser for a socket that listens on `host`."""
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1", "localhost"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
