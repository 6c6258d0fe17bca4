"""Debian's Chromium under Playwright; owns how it starts and what a page may not do while a test looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lumos_site.devtools.chromium import find_chromium


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, or a skipped test that says what is missing."""
    path = find_chromium()
    if path is None:
        pytest.skip("browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page whose console errors, script faults and requests to other hosts are written down as `complaints`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"fault: {error}"))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and not (parts.hostname or "").endswith(("localhost", "127.0.0.1")):
            self.complaints.append(f"left the house: {request.url}")


@contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a context of its own; fails when anything was complained about."""
    context = browser.new_context(locale="en-US", **options)
    try:
        watched = Watched(context.new_page())
        yield watched.page
        assert watched.complaints == []
    finally:
        context.close()
