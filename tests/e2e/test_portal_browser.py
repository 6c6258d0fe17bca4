"""The portal as a person uses it: Chromium, against a whole installation that streams from the simulated provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.e2e.browsing import watched_page
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.e2e]
PAGES = ("/", "/keys/", "/keys/new/", "/usage/", "/bill/", "/playground/", "/settings/")


@pytest.fixture(scope="module")
def signed_in(browser: Browser, running_lumos: Installation) -> str:
    """Cookies of acme's owner, signed in once by the form."""
    with watched_page(browser) as page:
        sign_in(page, running_lumos)
        kept = running_lumos.var / "acme-owner.json"
        page.context.storage_state(path=kept)
        return str(kept)


def sign_in(page: Page, lumos: Installation) -> None:
    login = lumos.logins["acme"]
    page.goto(lumos.portal_url("acme"))
    page.get_by_label("E-mail").fill(login.name)
    page.get_by_label("Password").fill(login.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


@pytest.fixture
def page(browser: Browser, running_lumos: Installation, signed_in: str) -> Iterator[Page]:
    """A page of acme's owner, wide and light, that may not complain."""
    with watched_page(
        browser,
        base_url=running_lumos.portal_url("acme"),
        storage_state=signed_in,
        viewport={"width": 1280, "height": 860},
    ) as opened:
        yield opened


def test_the_first_page_shows_limits_plan_and_the_first_request(page: Page, running_lumos: Installation) -> None:
    page.goto("/")
    expect(page.get_by_role("meter")).to_have_count(5)
    expect(page.locator("#base-url")).to_have_text(f"{running_lumos.portal_url('acme')}/v1")
    expect(page.get_by_role("heading", name="Plan")).to_be_visible()


def test_meters_renew_themselves_until_they_are_paused(page: Page) -> None:
    page.clock.install()
    page.goto("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/meters/") else None)
    with page.expect_response(re.compile("/meters/$")):
        page.clock.fast_forward(10_500)
    expect(page.get_by_role("meter")).to_have_count(5)
    page.get_by_role("button", name="Pause updates").click()
    expect(page.get_by_role("button", name="Resume updates")).to_have_attribute("aria-pressed", "true")
    page.clock.fast_forward(30_000)
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_an_answer_appears_as_it_is_written_and_is_kept(page: Page) -> None:
    page.goto("/playground/")
    page.get_by_label("Model").select_option("demo-chat")
    page.get_by_label("System message").fill("Be brief")
    page.get_by_label("Your message").fill("Why is the sky blue? <b>天空</b>")
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".said-assistant .said-text")
    expect(answer).not_to_be_empty()
    early = len(answer.inner_text())
    expect(page.locator("[data-counter=output]")).not_to_have_text("–")
    assert early < len(answer.inner_text())
    expect(page.locator("[data-counter=first]")).to_contain_text("s")
    expect(page.locator("[data-counter=cost]")).to_contain_text("USD")
    expect(page).to_have_url(re.compile(r"/playground/c/\w{26}/$"))
    said = answer.inner_text()
    page.reload()
    expect(page.locator(".said-user .said-text")).to_have_text("Why is the sky blue? <b>天空</b>")
    expect(page.locator(".said-assistant .said-text")).to_have_text(said)
    expect(page.get_by_label("System message")).to_have_value("Be brief")


def test_an_answer_can_be_stopped_and_the_next_one_starts(page: Page) -> None:
    page.goto("/playground/")
    page.get_by_label("Model").select_option("demo-slow")
    page.get_by_label("Your message").fill("Count to a thousand")
    page.get_by_label("Your message").press("Enter")
    expect(page.locator(".said-assistant .said-text")).not_to_be_empty(timeout=20_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_have_text("Stopped by you.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    stopped_at = page.locator(".said-assistant .said-text").inner_text()
    page.wait_for_timeout(500)
    assert page.locator(".said-assistant .said-text").inner_text() == stopped_at
    page.get_by_label("Model").select_option("demo-fast")
    page.get_by_label("Your message").fill("Go on")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-counter=output]")).not_to_have_text("–")


def test_a_broken_stream_does_not_look_like_an_answer(page: Page) -> None:
    page.goto("/playground/")
    page.get_by_label("Model").select_option("demo-cut")
    page.get_by_label("Your message").fill("Break off")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_kept_conversation_is_deleted_after_a_question(page: Page) -> None:
    page.goto("/playground/")
    page.get_by_label("Model").select_option("demo-fast")
    page.get_by_label("Your message").fill("Forget this one")
    page.get_by_role("button", name="Send").click()
    kept = page.get_by_role("link", name="Forget this one")
    expect(kept).to_be_visible()
    asked: list[str] = []

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.once("dialog", agree)
    page.get_by_role("button", name="Delete “Forget this one”").click()
    expect(page.get_by_text("Ask something below.")).to_be_visible()
    expect(kept).to_have_count(0)
    assert asked == ["Delete “Forget this one” for good?"]


def test_the_code_follows_what_is_filled_in(page: Page) -> None:
    page.goto("/playground/")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Your message").fill('It\'s "quoted"')
    page.get_by_text("Get code").click()
    code = page.locator("#code-text")
    expect(code).to_contain_text('"temperature": 0.3')
    expect(code).to_contain_text("It'\\''s")
    page.get_by_role("tab", name="curl").press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(code).to_contain_text("temperature=0.3,")
    expect(code).to_contain_text('"content": "It\'s \\"quoted\\""')


def test_a_key_is_made_copied_used_and_revoked(page: Page, running_lumos: Installation) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/keys/")
    page.get_by_role("link", name="Create a key").click()
    page.get_by_label("Name").fill("browser test")
    page.get_by_role("button", name="Create the key").click()
    key = page.locator("#new-key").inner_text().strip()
    page.get_by_role("button", name="Copy the key").click()
    expect(page.locator("#announce")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    ask = "key => fetch('/v1/models', {headers: {authorization: `Bearer ${key}`}}).then(answer => answer.status)"
    assert page.evaluate(ask, key) == 200
    page.get_by_role("link", name="I have kept it").click()
    assert key not in page.content()
    page.get_by_role("row", name=re.compile("browser test")).get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_text("The key “browser test” is revoked.")).to_be_visible()
    page.get_by_role("link", name="All, with revoked and expired").click()
    expect(page.get_by_role("row", name=re.compile("browser test"))).to_contain_text("Revoked")
    expect(page).to_have_url(re.compile(r"/keys/\?show=all$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_and_has_one_heading(
    browser: Browser, running_lumos: Installation, signed_in: str, scheme: str, width: int, tmp_path: Path
) -> None:
    with watched_page(
        browser,
        base_url=running_lumos.portal_url("acme"),
        storage_state=signed_in,
        color_scheme=scheme,
        viewport={"width": width, "height": 844},
    ) as page:
        for address in PAGES:
            page.goto(address)
            assert_fits(page, address)
            page.screenshot(path=tmp_path / f"{address.strip('/').replace('/', '-') or 'home'}.png", full_page=True)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 28)"
        assert dark == (scheme == "dark")


def assert_fits(page: Page, name: str) -> None:
    """Nothing is wider than the screen, and there is one heading that is not squeezed into a column."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    heading = page.get_by_role("heading", level=1).bounding_box()
    assert heading is not None
    assert heading["height"] < 90, name


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_seen_once_fits_too(browser: Browser, running_lumos: Installation, signed_in: str, width: int) -> None:
    viewport = {"width": width, "height": 844}
    address = running_lumos.portal_url("acme")
    with watched_page(browser, base_url=address, viewport=viewport) as page:
        page.goto("/sign-in/")
        assert_fits(page, "sign in")
    with watched_page(browser, base_url=address, viewport=viewport, storage_state=signed_in) as page:
        page.goto("/keys/new/")
        page.get_by_label("Name").fill("narrow")
        page.get_by_role("button", name="Create the key").click()
        expect(page.locator("#new-key")).to_be_visible()
        assert_fits(page, "new key")
        page.goto("/keys/")
        page.get_by_role("row", name=re.compile("narrow")).get_by_role("link", name="Revoke").first.click()
        assert_fits(page, "revoke")


def test_a_chosen_theme_goes_before_the_systems(page: Page) -> None:
    page.goto("/settings/")
    page.get_by_label("Appearance", exact=True).select_option("dark")
    page.get_by_role("button", name="Set").nth(1).click()
    expect(page.locator("html")).to_have_class("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 28)"


def test_the_menu_of_a_narrow_screen_opens_and_closes(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    menu = page.get_by_role("button", name="Menu")
    link = page.get_by_role("link", name="API keys", exact=True)
    expect(link).to_be_hidden()
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/usage/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_signing_out_closes_the_pages(browser: Browser, running_lumos: Installation) -> None:
    with watched_page(browser) as page:
        sign_in(page, running_lumos)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name=re.compile("Sign in to"))).to_be_visible()
        page.goto(f"{running_lumos.portal_url('acme')}/bill/")
        expect(page).to_have_url(re.compile(r"/sign-in/\?next=%2Fbill%2F$"))
