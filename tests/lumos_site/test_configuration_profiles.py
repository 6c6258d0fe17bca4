"""Profiles, overrides, dated limits and types of tenants by a configuration file: applied, repeated, exported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.models import AuditEntry
from core.clock import utc_now
from lumos_site.configuration.apply import apply_document, find_changes
from lumos_site.configuration.current import read_current
from lumos_site.configuration.export import export_text
from lumos_site.configuration.marks import ConfigurationRefused
from lumos_site.configuration.read import read_text
from quotas.api import Dimension, effective_limits
from scaling.api import policy_of
from tenants.api import ProfileField, ProfileOverride, TenantType, effective_profile, profile_values, tenant_by_slug
from tests.audit.reading import the_entry
from tests.cast import TESTER, Player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
NOW = utc_now()
FILE = """
tenant_types:
  INDIVIDUAL:
    profile: {worker_slots: 3, retention_days: 30, allowed_models: [demo-chat, demo-fast], failure_policy: FAIL_CLOSED}
tenants:
  acme:
    overrides:
      worker_slots: 30
      max_replicas: {value: 25, reason: a launch, expires_at: 2999-01-01}
      gpus: {value: 1, valid_from: 2998-01-01T00:00:00Z}
    scaling: {max_replicas: 25}
    limits:
      tokens_per_minute: {value: 7, hard: false, expires_at: 2999-01-01T12:00:00Z, reason: a launch}
"""


def run(text: str, tmp_path, now: datetime = NOW) -> list[str]:
    """Applies the text; returns what it changed."""
    document = read_text(text)
    changes = find_changes(document, now)
    apply_document(document, expected=changes, acting=TESTER, now=now, keys_file=tmp_path / "keys.json")
    return [str(change) for change in changes]


def refusal(text: str, tmp_path) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        run(text, tmp_path)
    return str(refused.value)


def test_a_file_sets_profiles_overrides_and_dated_limits_and_a_second_time_nothing(acme: Player, tmp_path) -> None:
    told = "\n".join(run(FILE, tmp_path))
    assert "~ profile of tenant type INDIVIDUAL" in told
    assert "retention_days: 180 → 30" in told
    assert "default → 25 until 2999-01-01 00:00 UTC" in told
    assert "default → 7 (soft) until 2999-01-01 12:00 UTC" in told
    values = profile_values(TenantType.INDIVIDUAL)
    assert values[ProfileField.ALLOWED_MODELS] == ("demo-chat", "demo-fast")
    profile = effective_profile(acme.tenant.id, now=NOW)
    assert (profile.ceiling.worker_slots, profile.ceiling.gpus, profile.scaling.max_replicas) == (30, 0, 25)
    assert profile[ProfileField.MAX_REPLICAS].override.reason == "a launch"
    assert profile[ProfileField.GPUS].beside[0].valid_from == datetime(2998, 1, 1, tzinfo=UTC)
    assert policy_of(acme.tenant.id).max_replicas == 25
    step = effective_limits(acme.tenant.id, now=NOW).steps[Dimension.TOKENS_PER_MINUTE][-1]
    assert (step.value, step.hard, step.reason, step.expires_at) == (
        7,
        False,
        "a launch",
        datetime(2999, 1, 1, 12, tzinfo=UTC),
    )
    entries = AuditEntry.objects.count()
    assert run(FILE, tmp_path, NOW + timedelta(hours=1)) == []
    assert AuditEntry.objects.count() == entries


def test_what_is_exported_changes_nothing_where_it_comes_from(acme: Player, tmp_path) -> None:
    run(FILE, tmp_path)
    text = export_text(read_current(NOW).document)
    assert "retention_days: 30" in text
    assert "reason: a launch" in text
    assert run(text, tmp_path) == []
    ProfileOverride.objects.all().delete()
    assert len([line for line in run(text, tmp_path) if "override of" in line]) == 3
    assert export_text(read_current(NOW).document) == text


def test_default_takes_every_override_of_a_field_away(acme: Player, tmp_path) -> None:
    run("tenants: {acme: {overrides: {worker_slots: 30}}}", tmp_path)
    run("tenants: {acme: {overrides: {worker_slots: 40}}}", tmp_path)
    [told] = run("tenants: {acme: {overrides: {worker_slots: default}}}", tmp_path)
    assert "40" in told
    assert "→ default" in told
    assert effective_profile(acme.tenant.id, now=NOW).ceiling.worker_slots == 20
    assert run("tenants: {acme: {overrides: {worker_slots: default}}}", tmp_path) == []


def test_a_beginning_in_the_past_is_no_difference_for_ever(acme: Player, tmp_path) -> None:
    text = "tenants: {acme: {overrides: {gpus: {value: 1, valid_from: 2020-01-01}}}}"
    assert len(run(text, tmp_path)) == 1
    assert run(text, tmp_path, NOW + timedelta(hours=1)) == []


def test_a_tenant_gets_another_type(acme: Player, tmp_path) -> None:
    [told] = run("tenants: {acme: {type: GOVERNMENT}}", tmp_path)
    assert "type: ENTERPRISE → GOVERNMENT" in told
    assert tenant_by_slug("acme").type == TenantType.GOVERNMENT
    assert the_entry(action="tenants.set_type").reason == "Set by the configuration file"


def test_a_new_tenants_plan_is_that_of_its_types_profile_in_the_same_file(tmp_path) -> None:
    text = """
plans: {mini: {name: Mini, prices: [{meter: input_tokens, per_million: 1}]}}
tenant_types: {INDIVIDUAL: {profile: {default_plan: mini}}}
tenants: {wayne: {type: INDIVIDUAL}}
"""
    assert any("plan: nothing → mini" in change for change in run(text, tmp_path))
    assert tenant_by_slug("wayne").plan == "mini"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tenant_types: {INDIVIDUAL: {profile: {gpus: many}}}", "profile.gpus: is a whole number"),
        ("tenant_types: {INDIVIDUAL: {profile: {gpu: 1}}}", "did you mean gpus?"),
        ("tenant_types: {INDIVIDUAL: {profile: {allowed_models: [' ']}}}", "must be a list of texts"),
        ("tenant_types: {INDIVIDUAL: {profile: {default_plan: gold}}}", "there is no plan gold"),
        ("tenant_types: {INDIVIDUAL: {profile: {failure_policy: OPEN}}}", "FAIL_CLOSED, CONSERVATIVE"),
        ("tenant_types: {INDIVIDUAL: {limits: {tokens_per_minute: {value: 1, expires_at: 2999-01-01}}}}", "not known"),
        ("tenants: {acme: {overrides: {default_plan: pro}}}", "cannot be overridden"),
        ("tenants: {acme: {overrides: {smiles: 1}}}", "cannot be overridden"),
        ("tenants: {acme: {overrides: {gpus: {reason: x}}}}", "value: is missing"),
        ("tenants: {acme: {overrides: {gpus: {value: 1, expires_at: soon}}}}", "must be a date or an instant"),
        ("tenants: {acme: {overrides: {gpus: {value: 1, expires_at: 2020-01-01}}}}", "expires_at"),
        ("tenants: {acme: {region: moon}}", "cannot be changed here"),
    ],
)
def test_mistakes_are_told_with_their_place_and_change_nothing(acme: Player, tmp_path, text: str, told: str) -> None:
    before = AuditEntry.objects.count()
    message = refusal(text, tmp_path)
    assert told in message
    assert message.startswith("configuration:1:")
    assert AuditEntry.objects.count() == before
