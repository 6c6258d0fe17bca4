"""What the command palette finds besides pages: tenants, keys, accounts, models; a few of each, by permission."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

import proxy.api as proxy
from tenants.api import ApiKey, Tenant

MOST = 8


def _tenants(term: str) -> QuerySet[Any]:
    bare = term.removeprefix("ten_")
    found: QuerySet[Any] = Tenant.objects.filter(Q(name__icontains=term) | Q(slug__icontains=term) | Q(id=bare))
    return found.order_by("name")


def _keys(term: str) -> QuerySet[Any]:
    bare = term.removeprefix("key_")
    found = Q(name__icontains=term) | Q(last_four__iexact=term[-4:], prefix__iexact=term[:12]) | Q(id=bare)
    return ApiKey.objects.filter(found).select_related("tenant").order_by("-created_at")


def _accounts(term: str) -> QuerySet[Any]:
    return User.objects.filter(Q(username__icontains=term) | Q(email__icontains=term)).order_by("username")


def _models(term: str) -> QuerySet[Any]:
    return proxy.Model.objects.filter(name__icontains=term).order_by("name")


_SOURCES: tuple[tuple[type[Model], str, Callable[[str], QuerySet[Any]], Callable[[Any], str]], ...] = (
    (Tenant, "apartment", _tenants, lambda row: f"{row.name} · {row.slug}"),
    (ApiKey, "key", _keys, lambda row: f"{row.name} · {row} · {row.tenant.name}"),
    (User, "person", _accounts, lambda row: str(row.get_username())),
    (proxy.Model, "neurology", _models, lambda row: str(row.name)),
)


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Results for the palette; a page of usage is offered for what looks like a request id."""
    return [*_requests(request, term), *_rows(request, term)]


def _rows(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    for model, icon, find, title in _SOURCES:
        opts = model._meta
        if not request.user.has_perm(f"{opts.app_label}.view_{opts.model_name}"):
            continue
        for row in find(term)[:MOST]:
            link = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
            yield SearchResult(title=title(row), description=str(opts.verbose_name), link=link, icon=icon)


def _requests(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    if term.startswith("req_") and request.user.has_perm("billing.view_usageevent"):
        link = f"{reverse('admin:billing_usageevent_changelist')}?q={term}"
        yield SearchResult(title=term, description=_("Usage event"), link=link, icon="receipt_long")
