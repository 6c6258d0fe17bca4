"""Signed-in visitors of an installation's two sites, without a browser."""

from __future__ import annotations

import httpx

from tests.codes import key_shown
from tests.e2e.installation import Installation


class Site:
    """One site by its host name; `root` is the page behind `/`."""

    def __init__(self, lumos: Installation, host: str, root: str) -> None:
        self._root = root
        headers = {"Host": f"{host}:{lumos.port}"}
        self._client = httpx.Client(base_url=lumos.base_url, headers=headers, timeout=60)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(self._root if path == "/" else path)

    def send(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Open the form at `path` and send it."""
        self._client.get(path).raise_for_status()
        token = self._client.cookies["lumos_csrf"]
        return self._client.post(path, data={**fields, "csrfmiddlewaretoken": token})

    def sign_in(self, path: str, fields: dict[str, str]) -> str:
        """The password's step; where it leads to."""
        answer = self.send(path, fields)
        assert answer.status_code == 302, answer.text[:2000]
        return answer.headers["Location"]


def signed_in_admin(lumos: Installation) -> Site:
    """With a second factor, which the first one who asks adds as every operator does."""
    site, login = Site(lumos, "localhost", "/admin/"), lumos.operator
    step = site.sign_in("/admin/login/", {"username": login.name, "password": login.password, "next": "/admin/"})
    if step == "/admin/security/app/":
        login.app_key = key_shown(site.get(step).text)
    answer = site.send(step, {"code": login.next_code()})
    assert answer.status_code in (200, 302), answer.text[:2000]
    assert site.get("/").status_code == 200
    return site


def signed_in_portal(lumos: Installation, slug: str) -> Site:
    site, login = Site(lumos, f"{slug}.localhost", "/"), lumos.logins[slug]
    site.sign_in("/sign-in/", {"email": login.name, "password": login.password})
    assert site.get("/").status_code == 200
    return site
