"""Joining a workspace as people do it: a letter, its link, an account; and a member who is removed again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import chromium, watched_page
from tests.e2e.installation import Installation
from tests.e2e.letters import link_in_letter
from tests.e2e.test_portal_browser import assert_fits, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.e2e]
NEWCOMER, PASSWORD = "zoe@acme.example", "correct-horse-battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_somebody_is_invited_joins_by_the_letter_and_is_removed(browser: Browser, running_lumos: Installation) -> None:
    portal = running_lumos.portal_url("acme")
    narrow = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with watched_page(browser, base_url=portal) as owner, watched_page(browser, base_url=portal, **narrow) as newcomer:
        sign_in(owner, running_lumos)
        owner.get_by_role("link", name="Members").click()
        owner.get_by_role("link", name="Invite somebody").click()
        owner.get_by_label("E-mail").fill(NEWCOMER)
        owner.get_by_label("Billing:").check()
        owner.get_by_role("button", name="Send the invitation").click()
        expect(owner.get_by_text(f"A letter is on its way to {NEWCOMER}.")).to_be_visible()

        newcomer.goto(link_in_letter(running_lumos, NEWCOMER, "/join/"))
        expect(newcomer).to_have_url(re.compile("/join/$"))
        assert_fits(newcomer, "join")
        newcomer.get_by_label("Password").fill(PASSWORD)
        newcomer.get_by_role("button", name="Make the account and join").click()
        expect(newcomer.get_by_role("heading", name="Home")).to_be_visible()
        newcomer.goto("/members/")
        assert_fits(newcomer, "members")
        expect(newcomer.get_by_role("button", name="Set")).to_have_count(0)

        owner.goto("/members/")
        owner.get_by_label(f"Role of {NEWCOMER}").select_option("VIEWER")
        owner.get_by_role("button", name=f"Set {NEWCOMER}").click()
        expect(owner.get_by_text(f"{NEWCOMER} has the role Viewer now.")).to_be_visible()
        owner.get_by_role("link", name=f"Remove {NEWCOMER}").click()
        owner.get_by_role("button", name="Remove").click()
        expect(owner.get_by_text(f"{NEWCOMER} is no longer a member.")).to_be_visible()
