"""One of the two sites on which people sign in, as the pages see it; owns no words and no look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.data import Place, Who
from accounts.selectors import has_factor
from accounts.services.sign_in import who_is
from core.clock import utc_now
from core.errors import LumosError
from core.proof import has_proved_factor, is_fresh
from core.tenancy import platform_scope

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Face:
    """`namespace` of its routes, `folder` of its templates, `entrance` and `home` by route name.

    `extras` is what its templates need besides. `needs_factor`: whether an account may be left without one here.
    """

    namespace: str
    folder: str
    entrance: str
    home: str
    extras: Callable[[HttpRequest], Mapping[str, Any]]
    needs_factor: Callable[[HttpRequest], bool]

    def address(self, page: str, *args: object) -> str:
        return reverse(f"{self.namespace}:{page}", args=args)

    def to(self, page: str, **query: str) -> HttpResponseRedirect:
        address = self.address(page)
        return HttpResponseRedirect(f"{address}?{urlencode(query)}" if query else address)

    def draw(
        self, request: HttpRequest, template: str, error: LumosError | None = None, **context: Any
    ) -> HttpResponse:
        """The page, never kept by anybody; with the status and the headers of what went wrong."""
        whole = {**self.extras(request), **context, "face": self.namespace, "error": error}
        response = render(request, f"{self.folder}/{template}.html", whole, status=error.status if error else 200)
        for name, value in error.headers.items() if error else ():
            response[name] = value
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "same-origin"
        return response

    def place(self, request: HttpRequest) -> Place:
        return place_of(request)

    def who(self, request: HttpRequest) -> Who:
        return who_is(account_of(request), place_of(request))


Page = Callable[Concatenate[HttpRequest, Face, P], HttpResponse]


def place_of(request: HttpRequest) -> Place:
    """Where the request came in: at its tenant's portal, or at the operators' site."""
    tenant = getattr(request, "tenant", None)
    host, _port = split_domain_port(request.get_host())
    return Place(tenant.id if tenant is not None else "", host, f"{request.scheme}://{request.get_host()}")


def account_of(request: HttpRequest) -> User:
    """Who is signed in; the doors of both sites let nobody else reach these pages."""
    if not isinstance(request.user, User):
        raise TypeError("a page for somebody who is signed in was reached without a session")
    return request.user


def on_platform(page: Page[P]) -> Page[P]:
    """Accounts, their factors and sessions are the platform's, whatever scope the request runs in."""

    @wraps(page)
    def wrapped(request: HttpRequest, face: Face, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        with platform_scope():
            return page(request, face, *args, **kwargs)

    return cast("Page[P]", wrapped)


def fresh_only(page: Page[P]) -> Page[P]:
    """For what an open browser somebody walked away from must not do: only soon after a proof of who is there.

    Who has a factor must have proved it in this session, so that a password alone never changes factors.
    """

    @wraps(page)
    def wrapped(request: HttpRequest, face: Face, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        proved = has_proved_factor(request) or not has_factor(account_of(request).pk)
        if proved and is_fresh(request, utc_now()):
            return page(request, face, *args, **kwargs)
        return face.to("security_confirm", next=request.path if request.method == "GET" else face.address("security"))

    return cast("Page[P]", wrapped)


def safe_address(request: HttpRequest, wanted: str, otherwise: str) -> str:
    """`wanted` when it stays on this host, else the other one."""
    same_host = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and same_host else otherwise
