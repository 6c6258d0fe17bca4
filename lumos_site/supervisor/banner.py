"""The last words of a start: where everything is and a line to paste; pure text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_RULE = "─" * 100


@dataclass(frozen=True, slots=True)
class Welcome:
    """`operator` and the `members` of the demo tenants are (name, password), known on the first run only.

    `demo_keys` and `members` are by the tenant's slug.
    """

    base_url: str
    portal_urls: Mapping[str, str] = field(default_factory=dict)
    operator: tuple[str, str] | None = None
    members: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    demo_keys: Mapping[str, str] = field(default_factory=dict)
    demo_model: str = "demo-chat"


def welcome_lines(welcome: Welcome) -> list[str]:
    base = welcome.base_url
    lines = [_RULE, "  Lumos is up.", ""]
    lines += _place("Operator admin", f"{base}/admin/", welcome.operator)
    for slug, url in welcome.portal_urls.items():
        lines += _place(f"Portal of {slug}", url, welcome.members.get(slug))
    lines += _place("API docs", f"{base}/api/docs/", None)
    if welcome.operator:
        lines += ["", "  Passwords are shown this once: keep them. The operator then adds an authenticator app, by a"]
        lines += ["  picture to scan or a key to type into it, and keeps the recovery codes that follow."]
    if welcome.demo_keys:
        slug, key = next(iter(welcome.demo_keys.items()))
        lines += [*_place(f"API key of {slug}", key, None), "", "  Stream a first answer:", ""]
        lines += [*_curl(base, key, welcome.demo_model)]
    return [*lines, "", "  Stop with Ctrl-C.", _RULE]


def _place(name: str, where: str, login: tuple[str, str] | None) -> list[str]:
    lines = [f"  {name:<17}{where}"]
    if login:
        lines.append(f"  {'':<17}sign in as {login[0]} with {login[1]}")
    return lines


def _curl(base: str, key: str, model: str) -> list[str]:
    body = f'{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return [f"curl -N {base}/v1/chat/completions {headers} -d '{body}'"]


def url_host(host: str) -> str:
    """The name to type into a browser for a socket that listens on `host`."""
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1", "localhost"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
