"""Speaking with the REST API in tests: one client per caller, JSON in and out."""

from __future__ import annotations

from typing import Any

from django.test import Client

from core.ids import prefixed
from tenants.api import Tenant


class Caller:
    """A program that calls /api/v1 with one credential, on the operators' host unless told otherwise."""

    def __init__(self, credential: str = "", *, host: str = "localhost") -> None:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {credential}"} if credential else {}
        self._client = Client(HTTP_HOST=host, **headers)

    def get(self, path: str, **headers: Any) -> Any:
        return self._client.get(f"/api/v1{path}", **headers)

    def post(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self._client.post(f"/api/v1{path}", body, content_type="application/json", **headers)

    def put(self, path: str, body: Any, **headers: Any) -> Any:
        return self._client.put(f"/api/v1{path}", body, content_type="application/json", **headers)

    def delete(self, path: str, **headers: Any) -> Any:
        return self._client.delete(f"/api/v1{path}", **headers)


def path_of(tenant: Tenant, rest: str = "") -> str:
    return f"/tenants/{prefixed('ten', tenant.id)}{rest}"
