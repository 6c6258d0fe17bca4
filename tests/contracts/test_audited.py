"""Every change leaves an entry in the audit log: each service, REST route and admin page, beside the action it records.

Read from the source, so that a new one fails here until it is in the table. That the entries are really written, with
the right facts and in the same transaction, the tests of each room show.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest
from django.contrib import admin
from django.urls import get_resolver

from core.admin import ReadOnlyAdmin
from core.rest.views import ApiView
from tests.contracts.actions import actions_of, functions, writers

SERVICES: dict[str, str] = {
    "adopt_chain": "audit.adopt_chain",
    "check_chain": "audit.check_chain",
    "export_part": "audit.export_chain",
    "note_export": "audit.export_chain",
    "discard_event": "outbox.discard",
    "resend_event": "outbox.resend",
    "add_member": "members.add",
    "accept_invitation": "members.accept",
    "change_role": "members.change_role",
    "invite_member": "members.invite",
    "leave_tenant": "members.leave",
    "remove_member": "members.remove",
    "renew_invitation": "members.invite",
    "revoke_invitation": "members.revoke_invitation",
    "run_isolation_report": "isolation.report",
    "resume_job": "tenants.resume_job",
    "archive_tenant": "tenants.archive",
    "delete_tenant": "tenants.delete",
    "cancel_deletion": "tenants.cancel_deletion",
    "bury": "tenants.erase",
    "restore_tenant": "tenants.restore",
    "back_up": "tenants.back_up",
    "create_tenant": "tenants.create",
    "delete_backup": "tenants.delete_backup",
    "rename_tenant": "tenants.rename",
    "restore": "tenants.restore",
    "resume_tenant": "tenants.resume",
    "set_plan": "tenants.set_plan",
    "announce_overrides": "tenants.override_ends",
    "override_value": "tenants.override_value",
    "revoke_override": "tenants.revoke_override",
    "set_profile_fields": "tenants.set_profile",
    "set_tenant_type": "tenants.set_type",
    "suspend_tenant": "tenants.suspend",
    "change_settings": "settings.change",
    "roll_back_settings": "settings.change",
    "add_endpoint": "webhooks.add",
    "change_endpoint": "webhooks.change",
    "remove_endpoint": "webhooks.remove",
    "rotate_secret": "webhooks.rotate",
    "enable_endpoint": "webhooks.enable",
    "disable_endpoint": "webhooks.disable",
    "send_test": "webhooks.test",
    "resend_delivery": "webhooks.resend",
    "resend_failed": "webhooks.resend",
    "create_api_key": "keys.create",
    "revoke_api_key": "keys.revoke",
    "set_key_networks": "keys.set_networks",
    "set_tenant_networks": "tenants.set_networks",
    "save_networks": "tenants.set_networks",
    "create_operator_token": "operator_tokens.create",
    "revoke_operator_token": "operator_tokens.revoke",
    "dismiss_operator": "operators.dismiss",
    "set_operator_role": "operators.set_role",
    "begin_impersonation": "impersonation.begin",
    "enter_impersonation": "impersonation.enter",
    "raise_impersonation": "impersonation.raise",
    "end_impersonation": "impersonation.end",
    "end_expired": "impersonation.end",
    "open_api_session": "api_sessions.open",
    "renew_api_session": "api_sessions.reuse",
    "end_api_session": "api_sessions.end",
    "end_api_sessions_of": "api_sessions.end",
    "end_api_sessions_in": "api_sessions.end",
    "end_session": "api_sessions.end",
    "rotate_token_key": "token_keys.rotate",
    "allocate": "capacity.allocate",
    "release": "capacity.release",
    "resize": "capacity.resize",
    "move_up": "capacity.move_up",
    "retry_waiting": "capacity.retry",
    "add_pool": "capacity.add_pool",
    "change_pool": "capacity.change_pool",
    "remove_pool": "capacity.remove_pool",
    "seed_pools": "capacity.add_pool",
    "reserve_host": "capacity.reserve_host",
    "clear_limit": "quotas.clear_limit",
    "expire_limits": "quotas.expire_limit",
    "seed_type_limits": "quotas.seed_type_limits",
    "set_limit": "quotas.set_limit",
    "set_plan_limit": "quotas.set_plan_limit",
    "set_type_limit": "quotas.set_type_limit",
    "publish_plan_version": "billing.publish_version",
    "save_plan": "billing.save_plan",
    "seed_catalogue": "billing.save_plan",
    "set_model_cost": "billing.set_cost",
    "rotate_master_key": "master_keys.rotate",
    "retire_master_key": "master_keys.retire",
    "set_up_master_key": "master_keys.add",
    "subscribe_tenant": "billing.subscribe",
    "end_contract": "billing.end_contract",
    "ensure_policy": "scaling.set_policy",
    "pause_policy": "scaling.pause_policy",
    "resume_policy": "scaling.resume_policy",
    "send_probes": "scaling.send_probes",
    "set_policy": "scaling.set_policy",
    "add_model": "models.add",
    "add_provider": "providers.add",
    "change_model": "models.change",
    "change_provider": "providers.change",
    "remove_provider_key": "providers.remove_key",
    "set_provider_key": "providers.set_key",
    "seal_provider_keys_anew": "providers.seal_key_anew",
    "seed_demo_provider": "providers.add",
    "seed_from_env": "providers.set_key",
    "change_password": "accounts.change_password",
    "sign_in": "sessions.sign_in",
    "begin_sign_in": "sessions.sign_in",
    "finish_sign_in": "sessions.sign_in",
    "let_in": "sessions.sign_in",
    "confirm_identity": "sessions.confirm",
    "end_sign_in": "sessions.end",
    "end_other_sessions": "sessions.end_others",
    "keep_only_this_session": "sessions.end_others",
    "add_app": "factors.add",
    "set_identity_provider": "identity_providers.set",
    "remove_identity_provider": "identity_providers.remove",
    "finish_at_provider": "sessions.sign_in",
    "account_of_identity": "identities.admit",
    "admit_account": "members.add",
    "ask_reset": "accounts.ask_reset",
    "reset_password": "accounts.reset_password",
    "ask_proof_of_address": "accounts.ask_proof_of_address",
    "prove_address": "accounts.prove_address",
    "note_proved_address": "accounts.prove_address",
    "add_passkey": "factors.add",
    "sign_in_by_passkey": "sessions.sign_in",
    "confirm_by_passkey": "sessions.confirm",
    "first_codes": "factors.renew_codes",
    "renew_codes": "factors.renew_codes",
    "use_code": "factors.use_recovery_code",
    "remove_factor": "factors.remove",
    "reset_factors": "factors.reset",
    "end_sessions_through_provider": "api_sessions.end",
    "apply_document": "tenants.create",
}
# What stands among the services and needs no entry of its own, with the reason.
WITHOUT: dict[str, str] = {
    "record": "is the log",
    "make_data_key": "a step of tenants.create",
    "destroy_data_key": "a step of a deletion, which records",
    "forget_letters": "a step of a deletion, which records",
    "data_key_of": "only looks",
    "seal_for_tenant": "only calculates",
    "unseal_for_tenant": "only calculates",
    "wrap_anew": "a step of master_keys.rotate",
    "rewrap_envelopes": "a step of master_keys.rotate",
    "envelope_uses": "only looks",
    "master_key_uses": "only looks",
    "check_master_keys": "only looks",
    "known_fingerprints": "only looks",
    "export_once": "a step of tenants.delete, and its backup is recorded",
    "wait_for_grace": "only looks",
    "end_creation": "a step of tenants.delete",
    "revoke_keys": "a step of tenants.delete",
    "delete_people": "a step of tenants.delete",
    "remove_files": "a step of tenants.delete",
    "drop_schema_and_role": "a step of tenants.delete",
    "destroy_key": "a step of tenants.delete",
    "empty_tables": "a step of tenants.delete",
    "forget_keys": "a step of tenants.delete",
    "prove_nothing_is_left": "a step of tenants.delete",
    "open_job": "opened by a change that records",
    "cancel_open_jobs": "a part of a change that records",
    "run_job": "carries on what a recorded change began",
    "run_due_jobs": "carries on what recorded changes began",
    "job_steps": "only looks",
    "steps_of": "only looks",
    "queue_mail": "carries what a recorded change told",
    "send_waiting": "carries what a recorded change told",
    "prune_mail": "forgets what was delivered",
    "prune_conversations": "a part of tenants.prune_conversations",
    "store_alerts": "keeps what counters said; nobody decided it",
    "keep_turns": "the customer's own content",
    "delete_conversation": "the customer's own content",
    "sign_out": "ends what sessions.sign_in began; changes nothing",
    "open_invitation": "only looks",
    "provider_key_is": "only looks",
    "is_domain_allowed": "only looks",
    "oldest_envelopes": "only looks",
    "options_fault": "only looks",
    "forget_account": "a part of tenants.delete",
    "end_reason": "only looks",
    "checked_networks": "only calculates",
    "find_handover": "only looks",
    "close_session": "a part of a change that records",
    "open_sessions": "only looks",
    "is_on_its_way_out": "only looks",
    "digest_of": "only calculates",
    "digests_of": "only calculates",
    "checked_address": "only calculates",
    "check_may_grant": "only looks",
    "find_account": "only looks",
    "keep_a_super": "only looks",
    "who_is": "only looks",
    "provider_of": "only looks",
    "client_of": "only looks",
    "begin_at_provider": "only asks",
    "account_to_reset": "only looks",
    "may_enter": "only looks",
    "begin_to_add": "only asks",
    "begin_to_use": "only asks",
    "check_passkey": "only looks, for one that records",
    "account_behind": "only looks, for one that records",
    "waiting_account": "only looks",
    "lock_account": "only locks, for one that records",
    "tell": "is the log, for what somebody does to their own account",
    "lock_tenant": "only locks, for one that records",
    "make_account": "a part of members.add and members.accept",
}
ROUTES: dict[str, str] = {
    "DELETE /auth/tokens/<str:session_id>": "api_sessions.end",
    "POST /audit/chains/<str:chain>/adopt": "audit.adopt_chain",
    "POST /audit/chains/<str:chain>/check": "audit.check_chain",
    "POST /tenants": "tenants.create",
    "DELETE /tenants/<str:tenant_id>": "tenants.delete",
    "POST /tenants/<str:tenant_id>/cancel-deletion": "tenants.cancel_deletion",
    "POST /capacity/pools": "capacity.add_pool",
    "PUT /capacity/pools/<str:pool_id>": "capacity.change_pool",
    "DELETE /capacity/pools/<str:pool_id>": "capacity.remove_pool",
    "PUT /capacity/pools/<str:pool_id>/reservation": "capacity.reserve_host",
    "POST /capacity/waiting/retry": "capacity.retry",
    "POST /tenants/<str:tenant_id>/allocations": "capacity.allocate",
    "PUT /tenants/<str:tenant_id>/allocations/<str:allocation_id>": "capacity.resize",
    "DELETE /tenants/<str:tenant_id>/allocations/<str:allocation_id>": "capacity.release",
    "POST /tenants/<str:tenant_id>/allocations/<str:allocation_id>/move-up": "capacity.move_up",
    "PUT /profiles/<str:tenant_type>": "tenants.set_profile",
    "PUT /tenants/<str:tenant_id>/type": "tenants.set_type",
    "POST /tenants/<str:tenant_id>/overrides": "tenants.override_value",
    "POST /tenants/<str:tenant_id>/overrides/<str:override_id>/revoke": "tenants.revoke_override",
    "POST /tenants/<str:tenant_id>/suspend": "tenants.suspend",
    "POST /tenants/<str:tenant_id>/resume": "tenants.resume",
    "POST /tenants/<str:tenant_id>/archive": "tenants.archive",
    "POST /tenants/<str:tenant_id>/restore": "tenants.restore",
    "POST /tenants/<str:tenant_id>/isolation-report": "isolation.report",
    "POST /tenants/<str:tenant_id>/keys": "keys.create",
    "DELETE /tenants/<str:tenant_id>/keys/<str:key_id>": "keys.revoke",
    "PUT /tenants/<str:tenant_id>/keys/<str:key_id>/networks": "keys.set_networks",
    "PUT /tenants/<str:tenant_id>/networks": "tenants.set_networks",
    "PUT /tenants/<str:tenant_id>/limits/<str:dimension>": "quotas.set_limit",
    "DELETE /tenants/<str:tenant_id>/limits/<str:dimension>": "quotas.clear_limit",
    "PUT /tenants/<str:tenant_id>/settings": "settings.change",
    "POST /tenants/<str:tenant_id>/webhooks": "webhooks.add",
    "PUT /tenants/<str:tenant_id>/webhooks/<str:endpoint_id>": "webhooks.change",
    "DELETE /tenants/<str:tenant_id>/webhooks/<str:endpoint_id>": "webhooks.remove",
    "POST /tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/rotate": "webhooks.rotate",
    "POST /tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/test": "webhooks.test",
    "POST /tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/resend-failed": "webhooks.resend",
    "POST /tenants/<str:tenant_id>/webhook-deliveries/<str:delivery_id>/resend": "webhooks.resend",
    "PUT /tenants/<str:tenant_id>/settings/<str:name>": "settings.change",
    "POST /tenants/<str:tenant_id>/settings/roll-back": "settings.change",
    "PUT /tenants/<str:tenant_id>/scaling": "scaling.set_policy",
    "POST /tenants/<str:tenant_id>/subscription": "billing.subscribe",
    "POST /tenants/<str:tenant_id>/invitations": "members.invite",
    "DELETE /tenants/<str:tenant_id>/invitations/<str:invitation_id>": "members.revoke_invitation",
    "PUT /tenants/<str:tenant_id>/members/<str:member_id>": "members.change_role",
    "DELETE /tenants/<str:tenant_id>/members/<str:member_id>": "members.remove",
}


@pytest.mark.parametrize(("name", "path"), sorted(writers().items()))
def test_each_service_records_its_action(name: str, path: str) -> None:
    assert (name in SERVICES) != (name in WITHOUT), f"{path}: {name} belongs into one of the tables"
    if name in SERVICES:
        assert SERVICES[name] in actions_of(functions()[name][path], path)


def test_the_tables_name_nothing_that_is_gone() -> None:
    assert {*SERVICES, *WITHOUT} - set(writers()) == set()


def test_the_reader_sees_a_service_that_records_nothing() -> None:
    silent = ast.parse("def rename(*, acting):\n    Tenant.objects.update(name='a.b')")
    assert actions_of(silent, "x.py") == frozenset()
    assert "tenants.rename" in actions_of(ast.parse("def view():\n    rename_tenant(name='x')"), "x.py")


def _views(patterns: Any, prefix: str = "") -> dict[str, Any]:
    """Each REST route that changes something, as `METHOD /route`, and its handler."""
    found: dict[str, Any] = {}
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            found |= _views(pattern.url_patterns, route)
            continue
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, ApiView):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                if hasattr(view, method.lower()):
                    found[f"{method} /{route.removeprefix('api/v1/')}"] = getattr(view, method.lower())
    return found


REST = _views(get_resolver("lumos_site.urls.public").url_patterns)


def _can_record(*parts: Any) -> frozenset[str]:
    """What these functions and classes can record."""
    sources = [(inspect.unwrap(part), str(inspect.getsourcefile(inspect.unwrap(part)))) for part in parts]
    trees = [(ast.parse(textwrap.dedent(inspect.getsource(part))), path) for part, path in sources]
    return frozenset().union(*(actions_of(tree, path) for tree, path in trees))


@pytest.mark.parametrize("route", sorted(REST))
def test_each_route_that_changes_something_records_its_action(route: str) -> None:
    assert route in ROUTES
    assert ROUTES[route] in _can_record(REST[route])


def test_the_routes_name_nothing_that_is_gone() -> None:
    assert set(ROUTES) - set(REST) == set()


PAGES = [page for page in admin.site._registry.values() if not isinstance(page, ReadOnlyAdmin)]
THEIRS = ("django.", "unfold.", "django_celery_beat.", "builtins")
LOOKS = {"view"}


def _ours(page: Any) -> list[type]:
    """The classes of a page that we wrote: a button hands on to what another of them does."""
    return [kind for kind in type(page).__mro__ if not f"{kind.__module__}.".startswith(THEIRS)]


def _is_ours(page: Any, name: str) -> bool:
    return not f"{getattr(type(page), name).__module__}.".startswith(THEIRS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.model._meta.label)
def test_each_page_with_a_form_saves_and_deletes_by_what_records(page: Any) -> None:
    """Django's own save_model and delete_model would change rows that the log never hears of."""
    takes_no_form = _is_ours(page, "has_add_permission") and _is_ours(page, "has_change_permission")
    assert _is_ours(page, "save_model") or takes_no_form
    assert _is_ours(page, "delete_model") or _is_ours(page, "has_delete_permission")
    assert _can_record(*_ours(page))


@pytest.mark.parametrize("page", admin.site._registry.values(), ids=lambda page: page.model._meta.label)
def test_each_button_that_changes_something_is_ours_and_records(page: Any) -> None:
    for kind in ("actions", "actions_detail", "actions_row", "actions_list"):
        for name in _names(getattr(page, kind, None) or ()):
            method = getattr(type(page), name)
            if not set(getattr(method, "allowed_permissions", ())) <= LOOKS:
                assert _is_ours(page, name), f"{name} is another package's"
                assert _can_record(*_ours(page)), name


def _names(buttons: Any) -> list[str]:
    """Buttons are named one by one or in a menu."""
    return [name for button in buttons for name in (button["items"] if isinstance(button, dict) else [button])]
