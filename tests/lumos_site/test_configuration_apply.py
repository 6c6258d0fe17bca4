"""Applying and exporting configuration files on a real database: idempotent, all or nothing, no secret shown."""

from __future__ import annotations

import json
import re
import stat
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEntry
from billing.api import plan_offers, subscription_facts
from core.clock import utc_now
from core.conf import ROOT
from lumos_site.configuration.apply import apply_document, find_changes
from lumos_site.configuration.current import read_current
from lumos_site.configuration.export import export_text
from lumos_site.configuration.marks import ConfigurationRefused
from lumos_site.configuration.read import read_text
from proxy.api import ProviderKey, all_models, all_providers
from quotas.api import Dimension, effective_limits
from scaling.api import policy_of
from tenants.api import ApiKey, TenantStatus, configuration_of, key_by_plaintext, tenant_by_slug
from tests.cast import TESTER

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
SECRET = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def example() -> str:
    page: str = (ROOT / "docs" / "configuration.md").read_text()
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    return next(block for block in blocks if "# lumos.yaml" in block)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`run(text, *options)` applies a file by the command and returns what it said."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)

    def apply(text: str, *options: str) -> str:
        file, out = tmp_path / "lumos.yaml", StringIO()
        file.write_text(text)
        call_command("apply", str(file), "--keys-file", str(tmp_path / "keys.json"), *options, stdout=out)
        return out.getvalue()

    return apply


def test_the_documented_example_makes_what_it_says(run, example, tmp_path):
    said = run(example)
    assert "+ provider openai" in said
    assert SECRET not in said
    models = {model.name: model for model in all_models()}
    assert (models["fast"].provider, models["fast"].upstream_name) == ("openai", "gpt-4o-mini")
    assert models["llama3.2"].provider == "local"
    team = next(offer for offer in plan_offers() if offer.code == "team")
    assert (team.monthly_fee, len(team.prices)) == (Decimal(29), 5)
    wayne = tenant_by_slug("wayne")
    assert subscription_facts(wayne.id, utc_now()).plan_code == "team"
    limits = effective_limits(wayne.id, now=utc_now())
    assert limits[Dimension.MONEY_PER_MONTH].value == 250_500_000
    assert limits[Dimension.TOKENS_PER_MINUTE].value is None
    assert limits[Dimension.TOKENS_PER_MONTH].value == 50_000_000
    assert policy_of(wayne.id).max_replicas == 4
    assert policy_of(tenant_by_slug("kent").id).max_replicas == 2
    keys = json.loads((tmp_path / "keys.json").read_text())
    assert set(keys["wayne"]) == {"production", "reports", "try-out"}
    found = key_by_plaintext(keys["wayne"]["try-out"], utc_now())
    assert found is not None
    assert (found.live, found.allowed_models, found.requests_per_minute) == (False, ["llama3.2"], 10)


def test_applying_twice_changes_nothing(run, example, tmp_path):
    run(example)
    keys = (tmp_path / "keys.json").read_text()
    entries = AuditEntry.objects.count()
    assert run(example) == "Nothing to change.\n"
    assert (tmp_path / "keys.json").read_text() == keys
    assert AuditEntry.objects.count() == entries


def test_new_keys_are_in_a_file_for_the_owner_alone_and_nowhere_else(run, example, tmp_path):
    said = run(example)
    file = tmp_path / "keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "lum_live_" not in said
    assert "3 new API keys" in said


def test_new_keys_join_those_of_an_earlier_run(run, tmp_path):
    run("tenants: {wayne: {type: INDIVIDUAL, keys: {one: }}}")
    run("tenants: {wayne: {keys: {two: }}}")
    assert set(json.loads((tmp_path / "keys.json").read_text())["wayne"]) == {"one", "two"}


def test_networks_are_set_changed_and_lifted_by_the_file(run):
    run("""
tenants:
  wayne:
    type: INDIVIDUAL
    networks: [10.0.0.0/8]
    portal_networks: [203.0.113.7]
    keys: {one: {networks: [10.1.0.0/16]}}
""")
    tenant, key = tenant_by_slug("wayne"), ApiKey.objects.get(name="one")
    assert (tenant.allowed_networks, tenant.portal_networks) == (["10.0.0.0/8"], ["203.0.113.7/32"])
    assert key.allowed_networks == ["10.1.0.0/16"]
    exported = export_text(read_current(utc_now()).document)
    assert "portal_networks:" in exported
    assert run(exported) == "Nothing to change.\n"
    said = run("tenants: {wayne: {networks: [], keys: {one: {networks: [10.2.0.0/16]}}}}")
    assert "networks: 10.0.0.0/8 → nothing" in said
    assert "networks: 10.1.0.0/16 → 10.2.0.0/16" in said
    key.refresh_from_db()
    assert (tenant_by_slug("wayne").allowed_networks, key.allowed_networks) == ([], ["10.2.0.0/16"])


def test_what_is_no_network_in_the_file_is_named_with_its_line(run):
    with pytest.raises(CommandError, match=r"lumos\.yaml:1:.*networks: .*did you mean 10\.0\.0\.0/8"):
        run("tenants: {wayne: {type: INDIVIDUAL, networks: [10.0.0.1/8]}}")


def test_a_dry_run_shows_and_changes_nothing(run, example, tmp_path):
    said = run(example, "--dry-run")
    assert "+ tenant wayne" in said
    assert "nothing was changed" in said
    assert all_providers() == []
    assert not (tmp_path / "keys.json").exists()


def test_what_is_refused_late_leaves_nothing_behind_and_names_the_line(run, tmp_path):
    text = "tenants:\n  wayne:\n    type: INDIVIDUAL\n    keys: {one: }\n  admin:\n    type: INDIVIDUAL\n"
    with pytest.raises(CommandError, match=r"lumos\.yaml:6:5: tenant admin: .*slug"):
        run(text)
    assert not ApiKey.objects.exists()
    assert not (tmp_path / "keys.json").exists()


def test_what_cannot_be_is_refused_before_anything_is_tried(run):
    text = """\
models:
  fast: {provider: nobody}
tenants:
  wayne: {plan: nothing}
  kent: {name: Kent}
providers:
  new: {kind: soap, base_url: http://x}
  bare: {}
  blind: {base_url: http://x, key: env:NOT_SET_ANYWHERE}
"""
    with pytest.raises(CommandError) as refused:
        run(text)
    told = str(refused.value)
    assert "models.fast.provider: there is no provider nobody" in told
    assert "tenants.wayne.plan: there is no plan nothing" in told
    assert "tenants.kent.type: is missing" in told
    assert "providers.new.kind: must be one of openai, demo" in told
    assert "providers.bare.base_url: is missing" in told
    assert "providers.blind.keys.main: the environment variable NOT_SET_ANYWHERE is not set" in told


def test_provider_keys_are_sealed_replaced_and_kept(run, monkeypatch):
    five = (
        "providers:\n  openai:\n    base_url: https://api.openai.com/v1\n    key: env:OPENAI_API_KEY\n    models: [m]\n"
    )
    run(five)
    key = ProviderKey.objects.get()
    assert (key.last_four, SECRET in key.sealed) == ("mnop", False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-other-and-longer")
    assert "~ key main of provider openai" in run(five)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert run(five) == "Nothing to change.\n"
    assert ProviderKey.objects.get().last_four == "nger"


def test_a_price_change_publishes_a_version_and_tenants_keep_theirs(run):
    plan = "plans: {gold: {monthly_fee: 10, prices: [{meter: requests, unit_amount: %s}]}}\n"
    run(plan % "0.01" + "tenants: {wayne: {type: ENTERPRISE, plan: gold}}")
    said = run(plan % "0.02")
    assert "~ plan gold: a new version" in said
    assert "per_unit 0.01 → per_unit 0.02" in said
    assert [offer.version for offer in plan_offers() if offer.code == "gold"] == ["gold@2"]
    assert subscription_facts(tenant_by_slug("wayne").id, utc_now()).version == "gold@1"


def test_only_what_is_mentioned_changes(run):
    run("plans: {gold: {name: Gold, monthly_fee: 10, prices: [{meter: requests, unit_amount: 1}]}}")
    assert "monthly_fee: 10 → 12" in run("plans: {gold: {monthly_fee: 12}}")
    offer = next(offer for offer in plan_offers() if offer.code == "gold")
    assert (offer.name, offer.monthly_fee, len(offer.prices)) == ("Gold", Decimal(12), 1)


def test_taking_away_needs_a_yes_when_nobody_can_be_asked(run, monkeypatch):
    run("tenants: {wayne: {type: INDIVIDUAL, keys: {one: }}}")
    take = "tenants: {wayne: {status: suspended, keys: {one: {revoked: true}}}}"
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match="add --yes"):
        run(take)
    assert tenant_by_slug("wayne").status == TenantStatus.ACTIVE
    run(take, "--yes")
    assert tenant_by_slug("wayne").status == TenantStatus.SUSPENDED
    assert ApiKey.objects.get().revoked_at is not None
    assert "status: suspended → active" in run("tenants: {wayne: {status: active}}")


@pytest.mark.parametrize(("answer", "status"), [("y", TenantStatus.SUSPENDED), ("", TenantStatus.ACTIVE)])
def test_taking_away_asks_a_person(run, monkeypatch, answer, status):
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    run("tenants: {wayne: {type: INDIVIDUAL}}")
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    take = "tenants: {wayne: {status: suspended}}"
    if answer:
        run(take)
    else:
        with pytest.raises(CommandError, match="Nothing was changed"):
            run(take)
    assert tenant_by_slug("wayne").status == status


def test_an_api_key_is_never_altered(run):
    run("tenants: {wayne: {type: INDIVIDUAL, keys: {one: }}}")
    with pytest.raises(CommandError, match=r"keys\.one\.models: cannot be changed: add a key under another name"):
        run("tenants: {wayne: {keys: {one: {models: [m]}}}}")


def test_a_tenants_own_limit_goes_back_to_the_default(run):
    run("tenants: {wayne: {type: INDIVIDUAL, limits: {requests_per_minute: 7}}}")
    wayne = tenant_by_slug("wayne").id
    assert effective_limits(wayne, now=utc_now())[Dimension.REQUESTS_PER_MINUTE].value == 7
    assert "7 → default" in run("tenants: {wayne: {limits: {requests_per_minute: default}}}")
    assert effective_limits(wayne, now=utc_now())[Dimension.REQUESTS_PER_MINUTE].value != 7


def test_a_tenant_without_a_plan_gets_the_one_of_its_type(run):
    run("plans: {free: {monthly_fee: 0}}\ntenants: {wayne: {type: INDIVIDUAL}}")
    assert subscription_facts(tenant_by_slug("wayne").id, utc_now()).plan_code == "free"


def test_an_export_changes_nothing_where_it_came_from_and_holds_no_secret(run, example):
    run(example)
    out = StringIO()
    call_command("export-config", stdout=out)
    text = out.getvalue()
    assert "env:OPENAI_API_KEY" in text
    assert not re.search(r"sk-proj|lum_live_|lum_test_", text)
    assert find_changes(read_text(text, environment={}), utc_now()) == []
    assert export_text(read_current(utc_now()).document) == text


def test_an_export_makes_the_same_elsewhere(run, example, tmp_path):
    """Applied beside the original under other names, each section comes out the same."""
    run(example)
    text = export_text(read_current(utc_now()).document)
    for name in ("openai", "local", "wayne", "kent", "gpt-4o-mini", "fast", "embed", "llama3.2", "team"):
        text = re.sub(rf"(?m)^(  ){re.escape(name)}:", rf"\g<1>{name}2:", text)
    text = re.sub(r"(?m)^(    provider: \w+)$", r"\g<1>2", text).replace("plan: team\n", "plan: team2\n")
    document = read_text(text, environment={"OPENAI_API_KEY": SECRET})
    changes = find_changes(document, utc_now())
    apply_document(document, expected=changes, acting=TESTER, now=utc_now(), keys_file=tmp_path / "more.json")
    again = export_text(read_current(utc_now()).document)
    first, second = (re.search(rf"(?ms)^  {slug}:\n(.*?)(?=^  \S|\Z)", again) for slug in ("wayne", "wayne2"))
    assert first is not None
    assert second is not None
    assert first[1].replace("plan: team\n", "plan: team2\n") == second[1]


def test_export_config_writes_a_file_and_an_empty_installation_exports_itself(tmp_path):
    call_command("export-config", "--output", str(tmp_path / "out.yaml"))
    assert find_changes(read_text((tmp_path / "out.yaml").read_text()), utc_now()) == []
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_config", "--output", str(tmp_path / "nowhere" / "out.yaml"))


def test_a_difference_that_became_another_is_not_applied(tmp_path):
    document = read_text("tenants: {wayne: {type: INDIVIDUAL}}")
    with pytest.raises(Exception, match="changed in the meantime"):
        apply_document(document, expected=[], acting=TESTER, now=utc_now(), keys_file=tmp_path / "keys.json")


def test_keys_that_cannot_be_written_are_not_made(run, tmp_path):
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("tenants: {wayne: {type: INDIVIDUAL, keys: {one: }}}")
    assert not ApiKey.objects.exists()


def test_the_audit_log_tells_who_applied(run):
    run("tenants: {wayne: {type: INDIVIDUAL}}")
    entry = AuditEntry.objects.get(action="tenants.create")
    assert (entry.actor_kind, entry.actor_id) == ("system", "apply")
    assert "./lumos apply" in entry.actor_label


def test_a_missing_file_is_one_sentence():
    with pytest.raises(CommandError, match=r"nowhere\.yaml:1:1: cannot be read"):
        call_command("apply", "nowhere.yaml")


def test_a_file_with_a_mistake_is_refused_whole(run):
    with pytest.raises(ConfigurationRefused):
        read_text("tenants: {wayne: {typ: INDIVIDUAL}}")
    with pytest.raises(CommandError, match=r"did you mean type\?\n.*nothing was changed"):
        run("tenants: {wayne: {typ: INDIVIDUAL}}")


def test_settings_are_applied_as_one_version_exported_and_checked_with_their_place(run, example, tmp_path):
    said = run(example)
    assert "settings of wayne" in said
    wayne = tenant_by_slug("wayne")
    configuration = configuration_of(wayne.id)
    assert configuration.version == 1
    assert configuration.own_values() == {
        "playground.default_model": "llama3.2",
        "portal.announcement": {"text": "Fresh bread at seven", "level": "info"},
    }
    exported = export_text(read_current(utc_now()).document)
    assert "Fresh bread at seven" in exported
    assert find_changes(read_text(exported, "again.yaml"), utc_now()) == []
    wrong = "tenants:\n  wayne:\n    settings:\n      keys.longest_life_days: soon\n      no.such: 2026-01-01\n"
    with pytest.raises(ConfigurationRefused) as refused:
        read_text(wrong, "wrong.yaml")
    assert [mistake.place.line for mistake in refused.value.mistakes] == [4, 5]
