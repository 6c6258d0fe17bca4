"""Reading a configuration file: exact values, and mistakes with their line."""

from __future__ import annotations

import textwrap
from decimal import Decimal

import pytest

from billing.api import ChargeModel, Meter, Tier
from lumos_site.configuration.document import Document, LimitEntry, LimitWord
from lumos_site.configuration.marks import ConfigurationRefused
from lumos_site.configuration.read import read_file, read_text
from quotas.api import Dimension
from tenants.api import Role, TenantType


def read(text: str, **environment: str) -> Document:
    return read_text(textwrap.dedent(text), "lumos.yaml", environment)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        read(text)
    return [str(mistake) for mistake in refused.value.mistakes]


def test_five_lines_connect_a_provider():
    document = read(
        """\
        providers:
          openai:
            base_url: https://api.openai.com/v1/
            key: env:OPENAI_API_KEY
            models: [gpt-5-mini, gpt-5]
        """,
        OPENAI_API_KEY="sk-secret",
    )
    (provider,) = document.providers
    assert provider.base_url == "https://api.openai.com/v1"
    assert (provider.keys["main"].value, provider.keys["main"].variable) == ("sk-secret", "OPENAI_API_KEY")
    assert [(model.name, model.provider) for model in document.models] == [
        ("gpt-5-mini", "openai"),
        ("gpt-5", "openai"),
    ]


def test_a_secret_is_in_no_repr():
    document = read("providers: {p: {key: sk-very-secret}}")
    assert document.providers[0].keys["main"].value == "sk-very-secret"
    assert "sk-very-secret" not in repr(document)


def test_an_empty_file_asks_for_nothing():
    assert read("") == Document()
    assert read("# nothing\n") == Document()


def test_numbers_are_taken_digit_by_digit():
    document = read(
        """\
        plans:
          pro:
            monthly_fee: 19.90
            prices:
              - {meter: input_tokens, per_million: 2.50}
              - meter: output_tokens
                model: gpt-5
                included_units: 1_000_000
                tiers: [{up_to: 5e6, per_million: 10.10}, {unit_amount: 0.000008, flat_amount: 1}]
        """
    )
    (plan,) = document.plans
    assert plan.monthly_fee == Decimal("19.90")
    first, second = plan.prices or ()
    assert (first.meter, first.model, first.terms.tiers) == (
        Meter.INPUT_TOKENS,
        "*",
        (Tier(None, Decimal("0.0000025")),),
    )
    assert first.terms.charge_model is ChargeModel.PER_UNIT
    assert second.terms.charge_model is ChargeModel.GRADUATED
    assert second.terms.included_units == 1_000_000
    assert second.terms.tiers == (
        Tier(Decimal(5_000_000), Decimal("0.0000101")),
        Tier(None, Decimal("0.000008"), Decimal(1)),
    )


def test_a_limit_is_a_number_a_word_or_a_map():
    document = read(
        """\
        tenants:
          acme:
            limits:
              requests_per_minute: 600
              tokens_per_minute: {value: 1000, hard: false}
              tokens_per_month: unlimited
              concurrent_requests: default
              money_per_month: 12.345678
        """
    )
    assert document.tenants[0].limits == (
        LimitEntry(Dimension.REQUESTS_PER_MINUTE, 600),
        LimitEntry(Dimension.TOKENS_PER_MINUTE, 1000, hard=False),
        LimitEntry(Dimension.TOKENS_PER_MONTH, LimitWord.UNLIMITED),
        LimitEntry(Dimension.CONCURRENT_REQUESTS, LimitWord.DEFAULT),
        LimitEntry(Dimension.MONEY_PER_MONTH, 12_345_678),
    )


def test_anchors_and_merges_save_repetition_and_nearer_values_win():
    document = read(
        """\
        x-small: &small {type: INDIVIDUAL, plan: free}
        tenants:
          one: {<<: *small, plan: pro}
          two: *small
        """
    )
    assert [(tenant.slug, tenant.type, tenant.plan) for tenant in document.tenants] == [
        ("one", TenantType.INDIVIDUAL, "pro"),
        ("two", TenantType.INDIVIDUAL, "free"),
    ]


def test_members_and_keys_are_read():
    document = read(
        """\
        tenants:
          acme:
            members: {Ann@Acme.example: owner}
            keys:
              production:
              batch: {scopes: [inference, "usage:read"], expires_at: 2027-01-31, tokens_per_minute: 1000}
        """
    )
    (tenant,) = document.tenants
    assert tenant.members == {"ann@acme.example": Role.OWNER}
    production, batch = tenant.keys
    assert (production.name, production.scopes) == ("production", None)
    assert batch.expires_at is not None
    assert batch.expires_at.isoformat() == "2027-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("providerz: {}", "lumos.yaml:1:1: providerz: is not known here; did you mean providers?"),
        (
            "providers:\n  openai:\n    base_ulr: https://x",
            "lumos.yaml:3:5: providers.openai.base_ulr: is not known here; did you mean base_url?",
        ),
        (
            "tenants:\n  acme: {}\n  globex: {}\n  acme: {}",
            "lumos.yaml:4:3: tenants.acme: is given twice; first in line 2",
        ),
        ("tenants:\n  acme:\n    type: ENTERPRIZE", "did you mean enterprise?"),
        ("tenants: [acme]", "lumos.yaml:1:10: tenants: must be a map of names to values"),
        (
            "tenants:\n  acme:\n    limits: {tokens_per_second: 1}",
            "lumos.yaml:3:33: tenants.acme.limits.tokens_per_second",
        ),
        ("tenants:\n  acme:\n    limits: {requests_per_minute: -1}", "must be a whole number from 0"),
        ("tenants:\n  acme:\n    limits: {requests_per_minute: 1.5}", "must be a whole number"),
        ("tenants:\n  acme:\n    keys: {k: {expires_at: soon}}", "must be a date or an instant"),
        ("tenants:\n  acme:\n    members: {ann: OWNER}", "must be an e-mail address"),
        ("plans:\n  Pro!: {}", "lumos.yaml:2:9: plans.Pro!: a plan's code has"),
        ("plans:\n  pro: {currency: euro}", "must be three capital letters"),
        ("plans:\n  pro: {prices: [{meter: requests}]}", "unit_amount: is needed, or per_million, and not both"),
        ("plans:\n  pro: {prices: [{unit_amount: 1}]}", "lumos.yaml:2:18: plans.pro.prices[0].meter: is missing"),
        (
            "plans:\n  pro: {prices: [{meter: requests, unit_amount: 1}, {meter: requests, unit_amount: 2}]}",
            "requests of * is priced twice",
        ),
        ("providers:\n  p: {key: a, keys: {b: c}}", "use key or keys, not both"),
        ("providers:\n  p: {key: 'env:not a name'}", "env: needs the name of an environment variable"),
        ("providers:\n  p: {base_url: ftp://x}", "must start with http:// or https://"),
        ("providers:\n  p: {models: [m]}\nmodels:\n  m: {provider: p}", "models.m: is given twice"),
        ("providers:\n  p: {models: {m: {provider: q}}}", "is p already"),
        ("models:\n  m: {kinds: [chatt]}", "choose from chat, embeddings"),
        ("models:\n  m: {enabled: 3}", "must be true or false"),
        ("a: [", "is not valid YAML"),
        ("a: 1\n---\nb: 2", "is not valid YAML"),
        ("providers: *nowhere", "undefined alias"),
        ("x-a: &a {<<: *a}\nproviders: {p: *a}", "merges too deeply, or itself"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(text: str, expected: str):
    assert any(expected in mistake for mistake in mistakes(text)), mistakes(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    told = mistakes("tenants:\n  a: {type: x}\n  b: {status: y}\nprovider: {}")
    assert [line.split(":")[1] for line in told] == ["2", "3", "4"]


def test_tags_that_would_build_objects_are_refused_and_nothing_runs(tmp_path):
    witness = tmp_path / "witness"
    told = mistakes(f"x-a: !!python/object/apply:os.system ['touch {witness}']")
    assert "is not allowed here" in told[0]
    assert not witness.exists()


def test_a_laughing_file_is_read_without_growing():
    lines = ["x-a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert read("\n".join(lines)) == Document()


def test_a_file_that_cannot_be_read_is_a_mistake_too(tmp_path):
    with pytest.raises(ConfigurationRefused, match="cannot be read: No such file"):
        read_file(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(ConfigurationRefused, match="is not UTF-8"):
        read_file(tmp_path / "latin.yaml")
