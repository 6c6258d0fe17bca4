"""The operators' admin as a person uses it, and the API's pages: Chromium, strict policies, no complaint allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import watched_page
from tests.e2e.installation import Installation, Login

pytestmark = [pytest.mark.browser, pytest.mark.e2e]
PAGES = (
    "/admin/",
    "/admin/tenants/tenant/",
    "/admin/tenants/apikey/",
    "/admin/billing/usageevent/",
    "/admin/billing/planversion/add/",
    "/admin/scaling/scalingpolicy/",
    "/admin/django_celery_beat/periodictask/",
    "/admin/security/",
    "/admin/security/app/",
    "/admin/security/confirm/",
)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, running_lumos: Installation) -> str:
    """Cookies of the operator, signed in by the forms, the second factor's too; the policy holds from the first on."""
    with watched_page(browser) as page:
        page.goto(f"{running_lumos.base_url}/")
        page.get_by_label("Username").fill(running_lumos.operator.name)
        page.get_by_label("Password").fill(running_lumos.operator.password)
        page.get_by_role("button", name="Log in").click()
        prove_a_second_factor(page, running_lumos.operator)
        expect(page).to_have_title(re.compile("^Overview"))
        kept = running_lumos.var / "operator.json"
        page.context.storage_state(path=kept)
        return str(kept)


def prove_a_second_factor(page: Page, operator: Login) -> None:
    """Give a code, or as the first one who signs in: scan, give the first code, keep the recovery codes."""
    expect(page.get_by_label("Code")).to_be_visible()
    first = page.locator("#app-key").is_visible()
    if first:
        operator.app_key = page.locator("#app-key").inner_text()
    page.get_by_label("Code").fill(operator.next_code())
    page.get_by_role("button", name="Add it" if first else "Sign in").click()
    if first:
        expect(page.get_by_text("Your recovery codes")).to_be_visible()
        page.get_by_role("link", name="I have kept them").click()


@pytest.fixture(params=[(1280, 900, "light"), (390, 844, "dark")], ids=["wide", "narrow"])
def page(
    browser: Browser, running_lumos: Installation, signed_in: str, request: pytest.FixtureRequest
) -> Iterator[Page]:
    width, height, scheme = request.param
    with watched_page(
        browser,
        base_url=running_lumos.base_url,
        storage_state=signed_in,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
    ) as opened:
        yield opened


@pytest.mark.parametrize("address", PAGES)
def test_pages_fit_and_complain_of_nothing(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_front_page_renews_itself_until_it_is_paused(page: Page) -> None:
    page.clock.install()
    page.goto("/admin/")
    with page.expect_response(re.compile("/admin/live/$")):
        page.clock.fast_forward(10_500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    page.get_by_role("button", name="Pause").click()
    page.clock.fast_forward(31_000)
    page.wait_for_timeout(300)
    assert asked == []


def test_the_palette_finds_a_tenant(page: Page) -> None:
    page.goto("/admin/")
    page.wait_for_load_state("networkidle")  # the page's scripts listen for the shortcut from then on
    page.keyboard.press("Control+k")
    asked = page.get_by_placeholder("Type to search")
    expect(asked).to_be_focused()
    asked.press_sequentially("acme", delay=30)
    expect(page.get_by_role("link", name=re.compile("acme")).first).to_be_visible()


def test_suspending_asks_on_a_page_of_its_own_and_resuming_undoes_it(page: Page) -> None:
    page.goto("/admin/tenants/tenant/?q=globex")
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").select_option("suspend_selected")
    page.locator("button[name=index]").click()
    page.get_by_label("Reason").fill("browser test")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("1 tenant is suspended.")).to_be_visible()
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").select_option("resume_selected")
    page.locator("button[name=index]").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("1 tenant is active again.")).to_be_visible()


@pytest.mark.parametrize("host", ["operators", "tenant"])
def test_the_apis_pages_work_offline_under_the_strict_policy(
    browser: Browser, running_lumos: Installation, host: str
) -> None:
    base = running_lumos.base_url if host == "operators" else running_lumos.portal_url("acme")
    with watched_page(browser) as page:
        page.goto(f"{base}/api/docs/")
        expect(page.locator(".opblock").first).to_be_visible(timeout=90_000)
        page.get_by_text("/api/v1/tenants", exact=True).first.click()
        expect(page.get_by_text("List tenants, newest first")).to_be_visible(timeout=30_000)
