"""Every page of the operators' admin answers, in the theme, with a number of queries that is written down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import redis as redis_library
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.admin import LumosModelAdmin, Question, ReadOnlyAdmin
from lumos_site.operator_site import OperatorAdminSite
from tenants.api import Membership, TenantTypeProfile
from tests.cast import Operator
from tests.lumos_site.stage import set_stage

QUERIES = Path(__file__).with_name("admin_queries.json")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY = [model for model in MODELS if isinstance(admin.site._registry[model], ReadOnlyAdmin)]
# Rows that come about elsewhere: members accept an invitation, and there is one profile for each type.
CLOSED = [*READ_ONLY, Membership, TenantTypeProfile]


@pytest.fixture
def browser(olivia: Operator, redis: redis_library.Redis) -> Client:
    set_stage(olivia)
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def _page(model: Any, kind: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def _noted(name: str, count: int) -> int:
    """The number that is written down; LUMOS_NOTE_QUERIES=1 writes what was counted instead."""
    noted: dict[str, int] = json.loads(QUERIES.read_text()) if QUERIES.exists() else {}
    if os.environ.get("LUMOS_NOTE_QUERIES") == "1":
        noted[name] = count
        QUERIES.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n")
    return noted.get(name, -1)


def test_the_site_is_ours_and_deletes_nothing_in_bulk() -> None:
    assert isinstance(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site, OperatorAdminSite)
    assert "delete_selected" not in dict(admin.site.actions)


def test_no_page_is_left_unstyled() -> None:
    pages = admin.site._registry
    assert [model._meta.label for model in MODELS if not isinstance(pages[model], LumosModelAdmin)] == []


def test_each_list_has_rows_and_costs_as_many_queries_as_noted(browser: Client) -> None:
    complaints = []
    for model in MODELS:
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(_page(model, "changelist"))
        if answer.status_code != 200 or not answer.context_data["cl"].result_list:
            complaints.append(f"{model._meta.label}: {answer.status_code}, or the stage has no such row")
        elif len(queries) != _noted(model._meta.label, len(queries)):
            complaints.append(f"{model._meta.label}: {len(queries)} queries")
    assert complaints == []


def test_each_list_can_be_searched(browser: Client) -> None:
    searched = [model for model in MODELS if admin.site._registry[model].search_fields]
    answers = {model._meta.label: browser.get(_page(model, "changelist"), {"q": "acme"}) for model in searched}
    assert [label for label, answer in answers.items() if answer.status_code != 200] == []


def test_each_question_of_each_list_has_answers_that_work(browser: Client) -> None:
    asked = [
        (model, entry.parameter_name, answer.name)
        for model in MODELS
        for entry in admin.site._registry[model].list_filter
        if isinstance(entry, type) and issubclass(entry, Question)
        for answer in entry.current_answers()
    ]
    assert len(asked) > 30
    wrong = [ask for ask in asked if browser.get(_page(ask[0], "changelist"), {ask[1]: ask[2]}).status_code != 200]
    assert wrong == []


def test_each_row_opens_and_forms_for_new_rows_open_unless_only_the_system_writes(browser: Client) -> None:
    complaints = []
    for model in MODELS:
        row = browser.get(_page(model, "changelist")).context_data["cl"].result_list[0]
        opened = browser.get(_page(model, "change", row.pk)).status_code
        new = browser.get(_page(model, "add")).status_code
        if (opened, new) != (200, 403 if model in CLOSED else 200):
            complaints.append(f"{model._meta.label}: {opened} {new}")
    assert complaints == []


def test_what_the_system_writes_cannot_be_changed_or_deleted(browser: Client) -> None:
    for model in READ_ONLY:
        row = browser.get(_page(model, "changelist")).context_data["cl"].result_list[0]
        assert browser.post(_page(model, "change", row.pk), {}).status_code == 403
        assert browser.post(_page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_the_front_page_has_its_figures_in_few_queries(browser: Client) -> None:
    for name in ("index", "live"):
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(reverse(f"admin:{name}"))
        html = answer.content.decode()
        assert "Busiest tenants today" in html
        assert "Acme" in html
        assert len(queries) == _noted(name, len(queries)), [query["sql"][:120] for query in queries]


def test_an_ended_session_makes_the_live_part_reload_the_page(db: None) -> None:
    answer = Client(HTTP_HOST="localhost").get(reverse("admin:live"))
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")


def test_a_new_installation_shows_the_next_steps(olivia: Operator, redis: redis_library.Redis) -> None:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    html = client.get(reverse("admin:index")).content.decode()
    assert "Next steps" in html
    assert "Connect a provider" in html
    assert "Busiest tenants" not in html


def test_staff_without_permissions_sees_no_figures(olivia: Operator, redis: redis_library.Redis) -> None:
    set_stage(olivia)
    olivia.user.is_superuser = False
    olivia.user.save()
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    html = client.get(reverse("admin:index")).content.decode()
    assert "Busiest tenants" not in html
    assert "Latest in the audit log" not in html


def test_members_and_tenants_hosts_have_no_admin(olivia: Operator, redis: redis_library.Redis) -> None:
    set_stage(olivia)
    member = Client(HTTP_HOST="localhost")
    member.force_login(User.objects.get(username="amy@acme.example"))
    assert member.get("/admin/").status_code == 302
    assert Client(HTTP_HOST="acme.localhost").get("/admin/").status_code in (302, 404)


def test_the_palette_finds_tenants_keys_and_requests_but_only_what_one_may_see(
    olivia: Operator, redis: redis_library.Redis
) -> None:
    set_stage(olivia)
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    search = reverse("admin:search")
    assert "Acme · acme" in client.get(search, {"s": "acm", "extended": "1"}).content.decode()
    assert "req_" in client.get(search, {"s": "req_01jd", "extended": "1"}).content.decode()
    olivia.user.is_superuser = False
    olivia.user.save()
    assert "Acme · acme" not in client.get(search, {"s": "acme", "extended": "1"}).content.decode()
