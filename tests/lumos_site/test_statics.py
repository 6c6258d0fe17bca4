"""Files for browsers under ASGI: sent without Django, complete, with their headers, and nothing else of the disk."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.contrib.staticfiles import finders

from core.conf import ROOT
from lumos_site.asgi import application

STYLES = "/static/portal/base.css"


@pytest.fixture(autouse=True)
def _every_warning_counts() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


async def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        return await client.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})


async def test_a_static_file_is_sent_without_a_warning_about_synchronous_iterators() -> None:
    answer = await ask(STYLES)
    assert answer.status_code == 200
    assert answer.content == (ROOT / "static/portal/base.css").read_bytes()
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["cache-control"]


async def test_a_large_file_arrives_whole() -> None:
    bundle = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    whole = Path(finders.find(bundle)).read_bytes()
    assert len(whole) > 1_000_000
    assert (await ask(f"/static/{bundle}")).content == whole


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    tag = (await ask(STYLES)).headers["etag"]
    again = await ask(STYLES, if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")


async def test_the_head_of_a_file_and_a_part_of_it_can_be_asked_for() -> None:
    head, part = await ask(STYLES, "HEAD"), await ask(STYLES, range="bytes=2-5")
    whole = (ROOT / "static/portal/base.css").read_bytes()
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole)))
    assert (part.status_code, part.content) == (206, whole[2:6])


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/../manage.py", "/static/%2e%2e/manage.py"])
async def test_what_is_no_static_file_is_not_found(path: str, db: None) -> None:
    assert (await ask(path)).status_code == 404


async def test_files_are_only_read() -> None:
    assert (await ask(STYLES, "POST")).status_code == 405
