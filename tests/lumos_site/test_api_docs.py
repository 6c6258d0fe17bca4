"""The API's description: OpenAPI 3.1, the same on every host, and pages that run under the strict policy."""

from __future__ import annotations

import re

import pytest
import yaml
from django.test import Client

from core.conf import ROOT

pytestmark = pytest.mark.django_db

OPEN = {("/api/v1/auth/tokens", "post"), ("/api/v1/auth/tokens/refresh", "post")}


@pytest.fixture(scope="module")
def committed() -> dict:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def test_the_committed_description_is_what_is_served(committed: dict) -> None:
    served = Client(HTTP_HOST="localhost").get("/api/schema/")
    assert yaml.safe_load(served.content) == committed
    assert committed["openapi"].startswith("3.1")


def test_every_operation_describes_its_errors_and_its_callers(committed: dict) -> None:
    for path, methods in committed["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert {"401", "403", "429"} <= set(answers), (path, method)
            assert "application/problem+json" in answers["401"]["content"]
            assert ({"bearer": []} in operation.get("security", [])) != ((path, method) in OPEN)
            assert "perators" in operation["description"], (path, method)


def test_operation_ids_are_given_by_hand_and_unique(committed: dict) -> None:
    ids = [operation["operationId"] for methods in committed["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in ids)
    assert not any("retrieve" in name or "partial" in name for name in ids)


def test_posts_take_an_idempotency_key(committed: dict) -> None:
    paths = committed["paths"].items()
    posts = [methods["post"] for path, methods in paths if "post" in methods and (path, "post") not in OPEN]
    assert posts
    for operation in posts:
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}


def test_the_pages_carry_no_inline_script_and_nothing_from_elsewhere() -> None:
    page = Client(HTTP_HOST="localhost").get("/api/docs/")
    html = page.content.decode()
    assert not re.findall(r"<script>|<script [^>]*>[^<]", html)
    assert "<style" not in html
    assert "//" not in "".join(re.findall(r'(?:src|href)="([^"]*)"', html))
    assert "unsafe" not in page["Content-Security-Policy"]
    script = Client(HTTP_HOST="localhost").get("/api/docs/?script=")
    assert "javascript" in script["content-type"]
