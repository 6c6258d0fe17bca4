"""What a workspace may use, told to its members in plain words, with where it comes from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import utc_now
from portal.usage.terms import terms_of
from tenants.api import FailurePolicy, ProfileField, Role, effective_profile, override_value
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn

pytestmark = pytest.mark.django_db


def told(player: Player) -> dict[str, tuple[str, str]]:
    profile = effective_profile(player.tenant.id, now=utc_now())
    return {term.label: (term.text, term.source) for term in terms_of(profile)}


def test_without_an_agreement_the_type_of_workspace_is_the_source(globex: Player) -> None:
    assert told(globex) == {
        "Models": ("All that are offered", "by your type of workspace"),
        "Workers of your own": ("0 to 2", "by your type of workspace"),
        "CPU": ("0.5 cores", "by your type of workspace"),
        "Memory": ("512 MiB", "by your type of workspace"),
        "Storage": ("2 GiB", "by your type of workspace"),
        "Conversations are kept for": ("180 days", "by your type of workspace"),
        "When usage cannot be counted": (
            "A small share of your limits is still served, and counted later",
            "by your type of workspace",
        ),
    }


def test_an_agreement_says_until_when(globex: Player) -> None:
    now = utc_now()
    for field, value, ends in (
        (ProfileField.CPU_MILLICORES, 1_000, None),
        (ProfileField.ALLOWED_MODELS, ["a", "b"], now + timedelta(days=1)),
        (ProfileField.FAILURE_POLICY, FailurePolicy.FAIL_CLOSED.value, None),
        (ProfileField.RETENTION_DAYS, 1, None),
    ):
        override_value(
            tenant_id=globex.tenant.id,
            field=field,
            value=value,
            reason="agreed",
            acting=TESTER,
            now=now,
            expires_at=ends,
        )
    terms = told(globex)
    assert terms["CPU"] == ("1 core", "agreed for your workspace")
    assert terms["Models"][0] == "a, b"
    assert terms["Models"][1].startswith("agreed for your workspace until 20")
    assert terms["When usage cannot be counted"][0] == "Requests are refused until it can be counted again"
    assert terms["Conversations are kept for"][0] == "1 day"


def test_every_member_finds_it_on_the_page_of_usage(globex: Player, as_role: SignIn) -> None:
    page = as_role(globex.tenant, Role.VIEWER).get("/usage/").content.decode()
    assert "What your workspace may use" in page
    assert "All that are offered" in page
