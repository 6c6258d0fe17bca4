"""Passkeys as a person uses them: Chromium with a virtual authenticator, on the operators' site and on a portal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import watched_page
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.e2e]


@contextmanager
def with_a_device(browser: Browser, base: str) -> Iterator[Page]:
    """A page whose browser has a platform authenticator that knows its user."""
    with watched_page(browser, base_url=base) as page:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        device = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": device})
        yield page


def test_a_member_adds_a_passkey_and_signs_in_with_it_and_with_both(
    browser: Browser, running_lumos: Installation
) -> None:
    login = running_lumos.logins["globex"]
    with with_a_device(browser, running_lumos.portal_url("globex")) as page:
        page.goto("/sign-in/")
        give_password(page, login.name, login.password)
        page.goto("/settings/security/passkey/")
        page.get_by_label("Name").fill("My laptop")
        page.get_by_role("button", name="Make the passkey").click()
        expect(page.get_by_text("Your recovery codes")).to_be_visible()
        page.get_by_role("link", name="I have kept them").click()
        sign_out(page)

        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(re.compile(r"globex\.localhost:\d+/$"))
        sign_out(page)

        give_password(page, login.name, login.password)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(re.compile(r"globex\.localhost:\d+/$"))

        page.goto("/settings/security/confirm/")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("Passkey “My laptop”")).to_be_visible()
        page.get_by_role("link", name="Remove My laptop").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("The factor is removed.")).to_be_visible()


def give_password(page: Page, name: str, password: str) -> None:
    page.get_by_label("E-mail").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state("networkidle")


def sign_out(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in/$"))
