"""A tenant's settings: typed, versioned, rolled back, never lost to one another, and each with an effect."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from audit.models import OutboxEvent
from core.clock import utc_now
from core.errors import InvalidInput
from core.tenancy import TenantRef, platform_scope, tenant_scope
from mail.models import OutgoingMail
from quotas.api import ThresholdReached
from quotas.handlers import write_to_recipients
from tenants.api import (
    Editor,
    Role,
    SettingNotFound,
    SettingNotValid,
    SettingsChanged,
    VersionNotFound,
    change_settings,
    configuration_of,
    create_api_key,
    invite_member,
    roll_back_settings,
    setting_of,
    settings_at,
    versions_of,
)
from tenants.centre.errors import SettingNotYours, StaleVersion
from tenants.centre.history import differences
from tenants.centre.registry import SPECS, check_value, spec_of
from tenants.centre.schema import KNOWN, complaints
from tenants.workspace.models import Setting, SettingVersion
from tests.audit.reading import the_entry
from tests.cast import TESTER, Player
from tests.proved import prove


def _set(player: Player, editor: Editor = Editor.OWNER, version: int | None = None, **values: object) -> int:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return change_settings(
        tenant_id=player.tenant.id,
        values=named,
        editor=editor,
        acting=TESTER,
        now=utc_now(),
        reason="because",
        version=version,
    )


def test_a_new_tenant_has_the_defaults_in_version_0(acme: Player) -> None:
    configuration = configuration_of(acme.tenant.id)
    assert configuration.version == 0
    assert {facts.spec.name: facts.value for facts in configuration.settings} == {s.name: s.default for s in SPECS}
    assert not any(facts.is_set for facts in configuration.settings)


def test_a_change_is_a_version_with_who_when_why_and_what(acme: Player) -> None:
    assert _set(acme, playground__system_message="Be brief.") == 1
    [version] = versions_of(acme.tenant.id)
    assert (version.number, version.actor, version.reason) == (1, TESTER.label, "because")
    assert [(c.name, c.before, c.after) for c in version.changes] == [("playground.system_message", None, "Be brief.")]
    assert setting_of(acme.tenant.id, "playground.system_message") == "Be brief."
    entry = the_entry(action="settings.change")
    assert (entry.tenant_id, entry.before, entry.after) == (
        acme.tenant.id,
        {"playground.system_message": None},
        {"playground.system_message": "Be brief."},
    )
    event = OutboxEvent.objects.get(type_name=SettingsChanged.type_name)
    assert event.payload == {"tenant_id": acme.tenant.id, "version": 1}


def test_what_changes_nothing_makes_no_version(acme: Player) -> None:
    _set(acme, keys__longest_life_days=30)
    assert _set(acme, keys__longest_life_days=30) == 1
    assert _set(acme, playground__default_model=None) == 1
    assert configuration_of(acme.tenant.id).version == 1


def test_none_brings_the_default_back(acme: Player) -> None:
    _set(acme, keys__longest_life_days=30)
    _set(acme, keys__longest_life_days=None)
    assert setting_of(acme.tenant.id, "keys.longest_life_days") == 0
    assert configuration_of(acme.tenant.id).version == 2


def test_a_stale_version_changes_nothing(acme: Player) -> None:
    _set(acme, version=0, playground__default_model="one")
    with pytest.raises(StaleVersion):
        _set(acme, version=0, playground__default_model="two")
    with pytest.raises(StaleVersion):
        _set(acme, version=7, playground__default_model="two")
    assert setting_of(acme.tenant.id, "playground.default_model") == "one"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keys.longest_life_days", "30"),
        ("keys.longest_life_days", True),
        ("keys.longest_life_days", -1),
        ("keys.longest_life_days", 99_999),
        ("playground.default_model", "x" * 121),
        ("playground.default_model", "a\x00b"),
        ("playground.default_model", "\ud800"),
        ("members.allowed_domains", ["acme.example", "not a domain"]),
        ("members.allowed_domains", ["a.example", "a.example"]),
        ("members.allowed_domains", "acme.example"),
        ("alerts.recipients", ["amy"]),
        ("alerts.recipients", [f"p{n}@a.example" for n in range(21)]),
        ("portal.announcement", {"text": "x"}),
        ("portal.announcement", {"text": "x", "level": "shouting"}),
        ("portal.announcement", {"text": "x", "level": "info", "more": 1}),
        ("portal.announcement", {"text": ["x"], "level": "info"}),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_of_the_change_is_kept(
    acme: Player, name: str, value: object
) -> None:
    with pytest.raises(SettingNotValid) as refused:
        _set(acme, playground__system_message="kept?", **{name.replace(".", "__"): value})
    assert list(refused.value.fields) == [name]
    assert configuration_of(acme.tenant.id).version == 0


@pytest.mark.parametrize("value", [None, 1])
def test_an_unknown_setting_is_refused(acme: Player, value: object) -> None:
    with pytest.raises(SettingNotFound):
        _set(acme, no__such=value)


def test_who_may_change_what(acme: Player) -> None:
    _set(acme, Editor.ADMIN, playground__default_model="m")
    with pytest.raises(SettingNotYours):
        _set(acme, Editor.ADMIN, keys__longest_life_days=3)
    _set(acme, Editor.OWNER, keys__longest_life_days=3)
    notice = {"text": "Maintenance at noon", "level": "warning"}
    with pytest.raises(SettingNotYours):
        _set(acme, Editor.OWNER, portal__operator_notice=notice)
    _set(acme, Editor.OPERATOR, portal__operator_notice=notice)


def test_rolling_back_is_a_new_version_and_can_be_undone(acme: Player) -> None:
    _set(acme, playground__default_model="one", keys__longest_life_days=10)
    _set(acme, playground__default_model="two")
    _set(acme, keys__longest_life_days=None, playground__system_message="x")
    before = settings_at(acme.tenant.id, 3)
    done = roll_back_settings(tenant_id=acme.tenant.id, to=1, editor=Editor.OWNER, acting=TESTER, now=utc_now())
    assert done == 4
    assert settings_at(acme.tenant.id, 4) == settings_at(acme.tenant.id, 1)
    assert settings_at(acme.tenant.id, 1) == {"playground.default_model": "one", "keys.longest_life_days": 10}
    roll_back_settings(tenant_id=acme.tenant.id, to=3, editor=Editor.OWNER, acting=TESTER, now=utc_now())
    assert settings_at(acme.tenant.id, 5) == before
    roll_back_settings(tenant_id=acme.tenant.id, to=0, editor=Editor.OWNER, acting=TESTER, now=utc_now())
    assert settings_at(acme.tenant.id, 6) == {}
    assert versions_of(acme.tenant.id)[0].reason == "Back to version 0"


def test_an_admin_cannot_roll_an_owners_decision_back(acme: Player) -> None:
    _set(acme, playground__default_model="one")
    _set(acme, keys__longest_life_days=10)
    with pytest.raises(SettingNotYours):
        roll_back_settings(tenant_id=acme.tenant.id, to=1, editor=Editor.ADMIN, acting=TESTER, now=utc_now())


def test_rolling_back_to_a_version_that_never_was(acme: Player) -> None:
    with pytest.raises(VersionNotFound):
        roll_back_settings(tenant_id=acme.tenant.id, to=1, editor=Editor.OWNER, acting=TESTER, now=utc_now())


def test_a_setting_that_code_no_longer_has_survives_a_roll_back(acme: Player) -> None:
    _set(acme, playground__default_model="one")
    with tenant_scope(TenantRef(acme.tenant.id)):
        Setting.objects.create(name="old.one", value=1, version=2)
        SettingVersion.objects.create(
            number=2, changes=[["old.one", None, 1]], actor_kind="system", actor="x", at=utc_now()
        )
    roll_back_settings(tenant_id=acme.tenant.id, to=0, editor=Editor.OWNER, acting=TESTER, now=utc_now())
    assert settings_at(acme.tenant.id, 3) == {"old.one": 1}


def test_the_history_comes_in_pages(acme: Player) -> None:
    for number in range(4):
        _set(acme, playground__default_model=f"m{number}")
    assert [version.number for version in versions_of(acme.tenant.id, limit=2)] == [4, 3]
    assert [version.number for version in versions_of(acme.tenant.id, before=3)] == [2, 1]


def test_globex_sees_nothing_of_acmes_settings(acme: Player, globex: Player) -> None:
    _set(acme, playground__system_message="acme's secret canary")
    assert configuration_of(globex.tenant.id).version == 0
    assert versions_of(globex.tenant.id) == []
    with tenant_scope(TenantRef(globex.tenant.id)):
        assert not Setting.objects.exists()
    assert configuration_of(globex.tenant.id).own_values() == {}


@pytest.mark.usefixtures("committed")
def test_changes_at_the_same_moment_wait_for_each_other_and_none_is_lost(redis) -> None:
    from tests.cast import found_acme

    acme = found_acme()
    faults: list[Exception] = []

    def change(number: int) -> None:
        try:
            with platform_scope():
                _set(acme, playground__default_model=f"m{number}")
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    versions = versions_of(acme.tenant.id)
    assert [version.number for version in versions] == list(range(8, 0, -1))
    for newer, older in itertools.pairwise(versions):
        assert newer.changes[0].before == older.changes[0].after


def test_keys_must_not_live_longer_than_the_owner_wants(acme: Player) -> None:
    _set(acme, keys__longest_life_days=30)
    now = utc_now()
    for expires_at in (None, now + timedelta(days=31)):
        with pytest.raises(InvalidInput) as refused:
            create_api_key(tenant_id=acme.tenant.id, name="x", acting=TESTER, now=now, expires_at=expires_at)
        assert "expires_at" in refused.value.fields
    create_api_key(tenant_id=acme.tenant.id, name="x", acting=TESTER, now=now, expires_at=now + timedelta(days=29))


def test_only_people_of_the_allowed_domains_are_invited(acme: Player) -> None:
    _set(acme, members__allowed_domains=["acme.example"])
    common = {"tenant_id": acme.tenant.id, "role": Role.VIEWER, "owners": True, "acting": TESTER, "now": utc_now()}
    for address in ("eve@evil.example", "eve@acme.example.evil.example", "eve@sub.acme.example"):
        with pytest.raises(InvalidInput):
            invite_member(email=address, **common)
    invite_member(email="Ann@Acme.example", **common)


def test_a_threshold_is_told_by_mail_to_the_named_recipients(acme: Player, globex: Player) -> None:
    prove(acme.owner)
    _set(acme, alerts__recipients=["amy@acme.example", "ops@acme.example"])
    event = ThresholdReached(acme.tenant.id, "tenant", "money_per_month", "2026-11", 90, 2_300_000, 2_500_000)
    write_to_recipients(event)
    write_to_recipients(ThresholdReached(globex.tenant.id, "tenant", "money_per_month", "2026-11", 90, 1, 2))
    letters = OutgoingMail.objects.filter(kind="quota_alert")
    assert sorted(letter.to for letter in letters) == ["amy@acme.example", "ops@acme.example"]
    from mail.api import send_waiting

    send_waiting(now=utc_now())
    letter = next(each for each in outbox.outbox if each.to == ["ops@acme.example"])
    assert "has used 90 %" in letter.subject
    assert "2.3 of 2.5" in letter.body


def test_a_threshold_of_a_tenant_that_is_gone_is_told_to_nobody(db: None) -> None:
    write_to_recipients(ThresholdReached("0" * 26, "tenant", "money_per_month", "2026-11", 90, 1, 2))
    assert not OutgoingMail.objects.exists()


def test_defaults_fit_their_own_schemas_and_schemas_use_known_words() -> None:
    for spec in SPECS:
        Draft202012Validator.check_schema(dict(spec.schema))
        check_value(spec, spec.default)
    with pytest.raises(KeyError):
        list(complaints({"type": "string", "pattern": "x"}, "x"))
    assert "pattern" not in KNOWN


_PLAIN = st.none() | st.booleans() | st.integers(-5, 4000) | st.floats(allow_nan=False) | st.text(max_size=6)
_NAMES = st.sampled_from(["text", "level", "more"])
_ANY = _PLAIN | st.lists(_PLAIN, max_size=4) | st.dictionaries(_NAMES, _PLAIN | st.just("info"), max_size=3)


@settings(deadline=None)
@given(st.sampled_from(SPECS), _ANY)
def test_our_reading_of_a_schema_is_the_standards(spec, value) -> None:
    ours = not list(complaints(spec.schema, value))
    assert ours == Draft202012Validator(dict(spec.schema)).is_valid(value)


_VALUES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)


@settings(deadline=None)
@given(_VALUES, _VALUES)
def test_differences_lead_from_one_to_the_other_and_back(before: dict, after: dict) -> None:
    from tenants.centre.history import applied

    changes = differences(before, after)
    assert applied(before, {change.name: change.after for change in changes}) == after
    assert applied(after, {change.name: change.before for change in changes}) == before


def test_spec_of_names_what_is_missing() -> None:
    with pytest.raises(SettingNotFound):
        spec_of("nothing.here")
