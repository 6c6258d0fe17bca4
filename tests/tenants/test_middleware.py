"""From host to tenant to membership: who a request runs for, and whom it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import Client, RequestFactory

from core.tenancy.context import PLATFORM, Scope, active_scope
from tenants.api import Tenant, TenantStatus
from tenants.middleware import HostMiddleware, MembershipMiddleware
from tests import cast

pytestmark = pytest.mark.django_db


def pass_through(
    host: str, *, path: str = "/", user: User | None = None, view: Callable[[HttpRequest], HttpResponse] | None = None
) -> tuple[HttpResponse, list[Scope | None]]:
    """Send a request through both middlewares; returns the answer and the scopes in which the view ran."""
    seen: list[Scope | None] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(active_scope())
        return view(request) if view else HttpResponse("ok")

    def signed_in(request: HttpRequest) -> HttpResponse:
        request.user, request.session = user or AnonymousUser(), SessionStore()
        return MembershipMiddleware(answer)(request)

    return HostMiddleware(signed_in)(RequestFactory(HTTP_HOST=host).get(path)), seen


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "LOCALHOST", "[::1]:8000"])
def test_the_operators_hosts_run_as_the_platform(host: str) -> None:
    _, seen = pass_through(host)
    assert seen == [PLATFORM]


def test_an_ipv6_address_without_a_port_is_the_operators_host_and_not_an_unknown_one() -> None:
    response, seen = pass_through("[::1]")
    assert (response.status_code, seen) == (200, [PLATFORM])


@pytest.mark.parametrize("host", ["acme.localhost", "ACME.localhost:8000", "acme.localhost."])
def test_a_member_on_the_tenants_host_runs_as_the_tenant(host: str, acme: cast.Player) -> None:
    _, seen = pass_through(host, user=acme.owner)
    assert [scope.tenant.id for scope in seen if scope and scope.tenant] == [acme.tenant.id]


def test_a_host_of_nobody_is_not_found(acme: cast.Player) -> None:
    response, seen = pass_through("umbrella.localhost", user=acme.owner)
    assert (response.status_code, seen) == (404, [])


def test_mallory_on_the_host_of_acme_is_refused(acme: cast.Player, globex: cast.Player) -> None:
    response, seen = pass_through("acme.localhost", user=globex.owner)
    assert (response.status_code, seen) == (403, [])


def test_an_operator_is_no_member(acme: cast.Player, olivia: cast.Operator) -> None:
    response, _ = pass_through("acme.localhost", user=olivia.user)
    assert response.status_code == 403


def test_before_anybody_is_known_a_page_runs_in_no_scope_and_the_sign_in_page_as_the_platform(
    acme: cast.Player,
) -> None:
    assert pass_through("acme.localhost", path="/keys/")[1] == [None]
    assert pass_through("acme.localhost", path="/sign-in/")[1] == [PLATFORM]
    assert pass_through("acme.localhost", path="/api/v1/models")[1] == [PLATFORM]


def test_an_archived_tenant_shows_its_members_that_it_is_archived(acme: cast.Player) -> None:
    Tenant.objects.filter(pk=acme.tenant.id).update(status=TenantStatus.ARCHIVED)
    response, seen = pass_through("acme.localhost", user=acme.owner)
    assert (response.status_code, seen) == (403, [])


def test_a_suspended_tenant_may_still_look_at_its_portal(initech: cast.Player) -> None:
    response, seen = pass_through("initech.localhost", user=initech.owner)
    assert (response.status_code, len(seen)) == (200, 1)


def test_a_template_that_renders_late_renders_as_the_tenant(acme: cast.Player) -> None:
    scopes: list[Scope | None] = []

    class Late(SimpleTemplateResponse):
        @property
        def rendered_content(self) -> str:
            scopes.append(active_scope())
            return "late"

    response, _ = pass_through("acme.localhost", user=acme.owner, view=lambda request: Late("unused.html"))
    assert response.content == b"late"
    assert scopes[0] is not None
    assert scopes[0].tenant is not None


def test_the_scope_of_one_request_does_not_reach_the_next(acme: cast.Player) -> None:
    pass_through("acme.localhost", user=acme.owner)
    assert active_scope() == PLATFORM
    assert pass_through("localhost")[1] == [PLATFORM]


def test_a_foreign_host_name_is_refused_before_anything_runs() -> None:
    assert Client(headers={"host": "evil.example"}).get("/").status_code == 400


def test_a_session_of_somebody_else_neither_opens_rest_nor_hides_the_key_beside_it(
    acme: cast.Player, globex: cast.Player
) -> None:
    browser = Client(HTTP_HOST="acme.localhost")
    browser.force_login(globex.owner)
    path = f"/api/v1/tenants/{acme.tenant.public_id}"
    refused = browser.get(path)
    assert (refused.status_code, refused["Content-Type"]) == (401, "application/problem+json")
    assert browser.get(path, HTTP_AUTHORIZATION=f"Bearer {acme.plaintext}").status_code == 200
