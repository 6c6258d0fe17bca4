"""Keys: shown once, stored as a hash, revoked for good, and never another tenant's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.models import AuditEntry, EntryNames, OutboxEvent
from core.clock import utc_now
from core.errors import InvalidInput
from core.tenancy import tenant_scope
from tenants import api
from tenants.models import ApiKey, OperatorToken
from tests import cast

pytestmark = pytest.mark.django_db
NOW = utc_now()


def test_the_whole_key_is_nowhere_in_the_database(acme: cast.Player) -> None:
    stored = str(ApiKey.objects.filter(pk=acme.key.pk).values().get())
    assert acme.plaintext not in stored
    assert acme.key.last_four == acme.plaintext[-4:]
    logs = str([*AuditEntry.objects.values(), *EntryNames.objects.values()]) + str(list(OutboxEvent.objects.values()))
    assert acme.plaintext not in logs


def test_a_key_is_found_by_its_plaintext_until_it_is_revoked_or_expires(acme: cast.Player) -> None:
    assert api.key_by_plaintext(acme.plaintext, NOW) == acme.key
    api.revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, acting=cast.TESTER, now=NOW)
    assert api.key_by_plaintext(acme.plaintext, NOW) is None
    _, brief = api.create_api_key(
        tenant_id=acme.tenant.id, name="brief", acting=cast.TESTER, now=NOW, expires_at=NOW + timedelta(minutes=1)
    )
    assert api.key_by_plaintext(brief, NOW + timedelta(seconds=59))
    assert api.key_by_plaintext(brief, NOW + timedelta(seconds=60)) is None


def test_keys_and_tokens_from_before_a_new_pepper_go_on_working(
    acme: cast.Player, olivia: cast.Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tenants.services.keys", "core.crypto"):
        monkeypatch.setattr(f"{module}.current_version", lambda purpose: 2)
    assert api.key_by_plaintext(acme.plaintext, NOW) == acme.key
    assert api.operator_by_token(olivia.token, NOW) is not None
    key, plaintext = api.create_api_key(tenant_id=acme.tenant.id, name="new", acting=cast.TESTER, now=NOW)
    assert key.pepper_version == 2
    assert api.key_by_plaintext(plaintext, NOW) == key


def test_the_stored_hash_is_not_a_key(acme: cast.Player) -> None:
    assert api.key_by_plaintext(acme.key.digest, NOW) is None


def test_revoking_twice_is_one_entry(acme: cast.Player) -> None:
    for _ in range(2):
        api.revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, acting=cast.TESTER, now=NOW)
    assert AuditEntry.objects.filter(action="keys.revoke").count() == 1


def test_mallory_cannot_revoke_a_key_of_acme(acme: cast.Player, globex: cast.Player) -> None:
    with pytest.raises(api.KeyNotFound):
        api.revoke_api_key(tenant_id=globex.tenant.id, key_id=acme.key.id, acting=cast.TESTER, now=NOW)
    with tenant_scope(globex.tenant.ref), pytest.raises(api.KeyNotFound):
        api.revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, acting=cast.TESTER, now=NOW)
    acme.key.refresh_from_db()
    assert acme.key.revoked_at is None


def test_mallory_cannot_make_a_key_for_acme(acme: cast.Player, globex: cast.Player) -> None:
    with tenant_scope(globex.tenant.ref), pytest.raises(api.TenantNotFound):
        api.create_api_key(tenant_id=acme.tenant.id, name="x", acting=cast.TESTER, now=NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_bad_input_is_named(acme: cast.Player, change: dict, field: str) -> None:
    facts = {"tenant_id": acme.tenant.id, "name": "ok", "acting": cast.TESTER, "now": NOW}
    with pytest.raises(InvalidInput) as caught:
        api.create_api_key(**(facts | change))
    assert field in caught.value.fields


def test_facts_for_the_gateway_carry_what_it_decides_by(acme: cast.Player) -> None:
    limits = api.KeyLimits(requests_per_minute=5, tokens_per_minute=7)
    key, _ = api.create_api_key(
        tenant_id=acme.tenant.id, name="n", acting=cast.TESTER, now=NOW, live=False, models=["demo-chat"], limits=limits
    )
    facts = api.key_facts_by_id(key.id)
    assert (facts.live, facts.models, facts.limits, facts.revoked) == (False, ("demo-chat",), limits, False)
    assert key.prefix.startswith("lum_test_")
    assert {fact.id for fact in api.usable_key_facts(NOW)} == {key.id, acme.key.id}
    with pytest.raises(api.KeyNotFound):
        api.key_facts_by_id("x")


def test_an_operator_token_works_while_its_account_is_staff(olivia: cast.Operator) -> None:
    token = api.operator_by_token(olivia.token, NOW)
    assert token is not None
    assert token.user == olivia.user
    assert olivia.token not in str(OperatorToken.objects.values().get())
    olivia.user.is_staff = False
    olivia.user.save()
    assert api.operator_by_token(olivia.token, NOW) is None
