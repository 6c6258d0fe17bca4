"""From a write of the control plane to what gateways read: services, events, records, and a Redis that forgot."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from core.crypto import unseal
from core.errors import Conflict, InvalidInput, NotFound
from core.redis import key
from proxy.api import (
    Model,
    Provider,
    ProviderKey,
    add_model,
    add_provider,
    all_models,
    all_providers,
    change_model,
    change_provider,
    ensure_published,
    provider_key_is,
    remove_provider_key,
    republish_all,
    seed_demo_provider,
    seed_from_env,
    set_provider_key,
    usable_models,
)
from proxy.catalogue import seal_context
from proxy.records import (
    CatalogueRecord,
    KeyRecord,
    TenantRecord,
    catalogue_name,
    changes_name,
    epoch_name,
    key_name,
    server_name,
    tenant_name,
)
from proxy.tasks import ensure_published as ensure_task
from proxy.tasks import republish_all as republish_task
from quotas.api import Dimension, set_limit
from tenants.api import KeyLimits, create_api_key, resume_tenant, revoke_api_key, suspend_tenant
from tests.cast import TESTER, Player

pytestmark = pytest.mark.django_db(transaction=True)
NOW = utc_now()
WHO: dict[str, Any] = {"acting": TESTER, "now": NOW}


def changes(redis: Any) -> list[tuple[str, str]]:
    return [(f[b"kind"].decode(), f[b"id"].decode()) for _, f in redis.xrange(changes_name())]


def catalogue(redis: Any) -> CatalogueRecord:
    return CatalogueRecord.from_json(redis.get(catalogue_name()))


class TestKeysAndTenants:
    def test_a_new_key_is_published_and_a_revoked_one_withdrawn(self, redis: Any, acme: Player) -> None:
        record = KeyRecord.from_json(redis.get(key_name(acme.key.digest)))
        assert (record.id, record.tenant_id, record.live) == (acme.key.id, acme.tenant.id, True)
        revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, **WHO)
        assert redis.get(key_name(acme.key.digest)) is None
        assert changes(redis)[-1] == ("key", acme.key.digest)

    def test_a_keys_own_limits_travel_with_it(self, redis: Any, acme: Player) -> None:
        made, _ = create_api_key(
            tenant_id=acme.tenant.id,
            name="small",
            limits=KeyLimits(requests_per_minute=7),
            models=["demo-chat"],
            expires_at=NOW + timedelta(days=1),
            **WHO,
        )
        record = KeyRecord.from_json(redis.get(key_name(made.digest)))
        assert [(limit.dimension, limit.value) for limit in record.limits] == [(Dimension.REQUESTS_PER_MINUTE, 7)]
        assert record.may_use("demo-chat")
        assert not record.may_use("demo-fast")
        assert record.expires_at_ms is not None

    def test_suspending_and_resuming_reach_the_record(self, redis: Any, acme: Player) -> None:
        suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", **WHO)
        assert TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id))).status == "SUSPENDED"
        resume_tenant(tenant_id=acme.tenant.id, **WHO)
        assert TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id))).status == "ACTIVE"

    def test_a_changed_limit_reaches_the_record(self, redis: Any, acme: Player) -> None:
        set_limit(tenant_id=acme.tenant.id, dimension=Dimension.REQUESTS_PER_MINUTE, value=11, **WHO)
        record = TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id)))
        assert record.limits[Dimension.REQUESTS_PER_MINUTE].value == 11

    def test_each_change_has_the_next_number_and_the_engine_knows_it(self, redis: Any, acme: Player) -> None:
        numbers = [int(fields[b"n"]) for _, fields in redis.xrange(changes_name())]
        assert numbers == sorted(set(numbers))
        assert int(redis.get(key("gw", "sequence"))) == numbers[-1]


class TestLoss:
    def test_everything_is_written_anew_when_redis_forgot(self, redis: Any, acme: Player, globex: Player) -> None:
        seed_demo_provider(**WHO)
        redis.flushdb() if redis.get("x") else redis.delete(*redis.scan_iter(key("gw", "*")))
        assert ensure_published(utc_now())
        assert not ensure_published(utc_now())
        assert redis.exists(epoch_name())
        assert KeyRecord.from_json(redis.get(key_name(globex.key.digest))).id == globex.key.id
        assert TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id))).slug == "acme"
        assert len(catalogue(redis).models) == 9
        assert changes(redis)[-1] == ("all", "")

    def test_what_is_no_longer_true_is_withdrawn(self, redis: Any, acme: Player) -> None:
        redis.set(key_name("f" * 64), b"{}")
        assert republish_all(utc_now()) == 1
        assert not redis.exists(key_name("f" * 64))
        assert redis.exists(key_name(acme.key.digest))

    def test_a_revocation_that_a_restarted_redis_forgot_is_published_again(self, redis: Any, acme: Player) -> None:
        republish_all(utc_now())
        assert not ensure_published(utc_now())
        record = redis.get(key_name(acme.key.digest))
        revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, **WHO)
        redis.mset({key_name(acme.key.digest): record, server_name(): b"the run before"})
        assert ensure_published(utc_now())
        assert not redis.exists(key_name(acme.key.digest))
        assert not ensure_published(utc_now())

    def test_one_process_at_a_time_writes_anew(self, redis: Any, acme: Player) -> None:
        redis.delete(epoch_name())
        redis.set(key("gw", "publishing"), "1")
        assert not ensure_published(utc_now())

    def test_the_tasks_do_the_same(self, redis: Any, acme: Player) -> None:
        redis.delete(epoch_name())
        assert ensure_task.run() is True
        assert republish_task.run() == 1


class TestCatalogue:
    def openai(self, **changes: Any) -> Provider:
        options = {"name": "real", "kind": "openai", "base_url": "https://api.example.com/v1", **changes}
        return add_provider(**options, **WHO)

    def test_a_provider_its_key_and_its_models_reach_the_gateways(self, redis: Any) -> None:
        provider = self.openai(options={"stream_usage": 0})
        set_provider_key(provider="real", plaintext="sk-very-secret-1", name="old", **WHO)
        later = {"acting": TESTER, "now": NOW + timedelta(seconds=1)}
        set_provider_key(provider="real", plaintext="sk-very-secret-2", name="new", **later)
        add_model(name="best", provider="real", upstream_name="up-1", context=1000, **WHO)
        record = catalogue(redis)
        [published] = record.providers
        assert unseal(published.sealed_key, context=seal_context(provider.id)) == "sk-very-secret-2"
        assert dict(published.options) == {"stream_usage": 0}
        assert (record.models[0].name, record.models[0].upstream_name) == ("best", "up-1")
        assert b"sk-very" not in redis.get(catalogue_name())

    def test_no_secret_is_in_the_database_facts_audit_or_events(self, redis: Any) -> None:
        from audit.models import AuditEntry, OutboxEvent

        self.openai()
        set_provider_key(provider="real", plaintext="sk-very-secret-1", **WHO)
        rows = [*ProviderKey.objects.values(), *AuditEntry.objects.values(), *OutboxEvent.objects.values()]
        assert "very-secret" not in json.dumps(rows, default=str) + repr(all_providers())
        [key_facts] = all_providers()[0].keys
        assert (key_facts.name, key_facts.last_four) == ("main", "et-1")

    def test_disabling_takes_away(self, redis: Any) -> None:
        self.openai()
        add_model(name="best", provider="real", **WHO)
        add_model(name="other", provider="real", **WHO)
        assert change_model(name="other", enabled=False, **WHO)
        assert [model.name for model in catalogue(redis).models] == ["best"]
        assert change_provider(name="real", enabled=False, **WHO)
        assert catalogue(redis) == CatalogueRecord((), ())
        assert usable_models() == []
        assert [model.name for model in all_models()] == ["best", "other"]

    def test_what_is_so_already_changes_nothing(self, redis: Any) -> None:
        self.openai()
        add_model(name="best", provider="real", **WHO)
        before = len(changes(redis))
        assert not change_provider(name="real", enabled=True, base_url="https://api.example.com/v1", **WHO)
        assert not change_model(name="best", provider="real", kinds=["chat"], **WHO)
        assert len(changes(redis)) == before

    def test_whether_a_key_is_the_sealed_one_can_be_asked(self, redis: Any) -> None:
        for name in ("real", "other"):
            add_provider(name=name, kind="openai", base_url="https://api.example.com/v1", **WHO)
        set_provider_key(provider="real", plaintext="sk-very-secret-1", **WHO)
        assert provider_key_is(" sk-very-secret-1\n", provider="real")
        assert not provider_key_is("sk-very-secret-2", provider="real")
        assert not provider_key_is("sk-very-secret-1", provider="real", name="spare")
        assert not provider_key_is("sk-very-secret-1", provider="other")

    def test_a_key_can_be_removed(self, redis: Any) -> None:
        self.openai()
        set_provider_key(provider="real", plaintext="sk-very-secret-1", **WHO)
        assert remove_provider_key(provider="real", name="main", **WHO)
        assert not remove_provider_key(provider="real", name="main", **WHO)
        assert catalogue(redis).providers[0].sealed_key == ""

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "Bad Name"},
            {"kind": "carrier-pigeon"},
            {"base_url": ""},
            {"base_url": "ftp://x"},
            {"base_url": "https://x/\r\nevil: 1"},
            {"base_url": "https://user:pw@x/"},
            {"options": {"unknown": 1}},
            {"options": {"connections": "many"}},
        ],
    )
    def test_a_provider_that_cannot_work_is_refused(self, redis: Any, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            self.openai(**changes)

    @pytest.mark.parametrize("plaintext", ["", "short", "has space inside", "line\nbreak-1234", "ключ-ключ-ключ"])
    def test_a_key_that_cannot_be_sent_is_refused(self, redis: Any, plaintext: str) -> None:
        self.openai()
        with pytest.raises(InvalidInput):
            set_provider_key(provider="real", plaintext=plaintext, **WHO)

    @pytest.mark.parametrize(
        "changes",
        [{"name": "bad name"}, {"kinds": []}, {"kinds": ["smell"]}, {"max_output": 0}, {"default_output": 0}],
    )
    def test_a_model_that_cannot_work_is_refused(self, redis: Any, changes: dict[str, Any]) -> None:
        self.openai()
        with pytest.raises(InvalidInput):
            add_model(**{"name": "best", "provider": "real", **changes}, **WHO)

    def test_names_are_taken_once_and_unknown_ones_are_not_found(self, redis: Any) -> None:
        self.openai()
        add_model(name="best", provider="real", **WHO)
        with pytest.raises(Conflict):
            self.openai()
        with pytest.raises(Conflict):
            add_model(name="best", provider="real", **WHO)
        for call in (
            lambda: add_model(name="x", provider="none", **WHO),
            lambda: change_model(name="none", enabled=True, **WHO),
            lambda: change_provider(name="none", enabled=True, **WHO),
            lambda: set_provider_key(provider="none", plaintext="x" * 20, **WHO),
        ):
            with pytest.raises(NotFound):
                call()

    def test_rows_say_what_they_are(self, redis: Any) -> None:
        provider = self.openai()
        stored = set_provider_key(provider="real", plaintext="sk-very-secret-1", **WHO)
        model = add_model(name="best", provider="real", **WHO)
        assert (str(provider), str(stored), str(model)) == ("real", "main …et-1", "best")


class TestSeed:
    def test_the_demo_provider_comes_once(self, redis: Any) -> None:
        assert seed_demo_provider(**WHO)
        assert not seed_demo_provider(**WHO)
        assert "demo-embed" in {model.name for model in usable_models()}

    def test_keys_of_the_environment_make_providers(self, redis: Any) -> None:
        environment = {"OPENAI_API_KEY": "sk-test-1234567890", "OPENAI_BASE_URL": "http://localhost:9/v1"}
        assert seed_from_env(environment=environment, **WHO) == ["openai"]
        assert seed_from_env(environment=environment, **WHO) == []
        [provider] = all_providers()
        assert provider.base_url == "http://localhost:9/v1"
        assert Model.objects.filter(name="gpt-4o-mini").exists()

    def test_a_name_that_is_taken_stays_with_its_provider(self, redis: Any) -> None:
        add_provider(name="mine", kind="demo", **WHO)
        add_model(name="claude-sonnet-4-5", provider="mine", **WHO)
        assert seed_from_env(environment={"ANTHROPIC_API_KEY": "sk-ant-1234567890"}, **WHO) == ["anthropic"]
        assert Model.objects.get(name="claude-sonnet-4-5").provider.name == "mine"
