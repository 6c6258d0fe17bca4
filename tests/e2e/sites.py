"""Signed-in visitors of an installation's two sites, without a browser."""

from __future__ import annotations

import httpx

from tests.e2e.installation import Installation


class Site:
    """One site by its host name; `root` is the page behind `/`."""

    def __init__(self, lumos: Installation, host: str, root: str) -> None:
        self._root = root
        headers = {"Host": f"{host}:{lumos.port}"}
        self._client = httpx.Client(base_url=lumos.base_url, headers=headers, timeout=60)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(self._root if path == "/" else path)

    def sign_in(self, path: str, fields: dict[str, str]) -> None:
        self._client.get(path).raise_for_status()
        token = self._client.cookies["lumos_csrf"]
        answer = self._client.post(path, data={**fields, "csrfmiddlewaretoken": token})
        assert answer.status_code == 302, answer.text[:2000]
        assert self.get("/").status_code == 200


def signed_in_admin(lumos: Installation) -> Site:
    site, login = Site(lumos, "localhost", "/admin/"), lumos.operator
    site.sign_in("/admin/login/", {"username": login.name, "password": login.password, "next": "/admin/"})
    return site


def signed_in_portal(lumos: Installation, slug: str) -> Site:
    site, login = Site(lumos, f"{slug}.localhost", "/"), lumos.logins[slug]
    site.sign_in("/sign-in/", {"email": login.name, "password": login.password})
    return site
