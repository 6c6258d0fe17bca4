"""Checks of the compute fence for the isolation report: where a tenant's tasks run, and that nobody else takes them."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid
from core.tenancy import TenantRef, WrongTenant, platform_scope
from core.tenancy.celery import TenantTask, queue_of
from scaling.data import Fleet, TenantWorkers, WorkerLimits, WorkerView
from scaling.errors import PolicyNotFound
from scaling.probe import last_probe
from scaling.selectors import fleet_or_none, policy_of
from scaling.shares import share_of
from tenants.api import Broken, FenceKind, NotApplicable, effective_profiles, granted_amounts, host_standing, proves

_MIB = 1024 * 1024


@proves(FenceKind.COMPUTE, "workers_of_its_own", _("Workers are this tenant's own processes"))
def workers_of_its_own(tenant: TenantRef) -> str:
    """Each process that the backend reports for this tenant, and that it reports none of them for another one too."""
    with platform_scope():
        fleet = fleet_or_none()
    if fleet is None:
        raise NotApplicable("No backend of workers has reported, so there is no process to look at.")
    mine = fleet.tenants[tenant.id].workers if tenant.id in fleet.tenants else ()
    if not mine:
        raise NotApplicable(f"No worker of this tenant runs; its queue {queue_of(tenant.id)} waits for one.")
    others = {worker.pid for other, seen in fleet.tenants.items() if other != tenant.id for worker in seen.workers}
    shared = [worker.pid for worker in mine if worker.pid in others]
    if shared:
        raise Broken(f"Processes {', '.join(map(str, shared))} work for another tenant too.")
    shown = ", ".join(f"pid {worker.pid} ({worker.status}, {worker.rss_bytes // _MIB} MiB)" for worker in mine)
    at = f"{fleet.observed_at:%H:%M:%S} UTC"
    return f"{len(mine)} of its own, on queue {queue_of(tenant.id)}: {shown}; reported at {at}."


@proves(FenceKind.COMPUTE, "limits_in_force", _("The number of workers is limited"))
def limits_in_force(tenant: TenantRef) -> str:
    """How many workers the policy allows and how many run, and that what the profile grants holds each of them."""
    with platform_scope():
        try:
            policy = policy_of(tenant.id)
        except PolicyNotFound:
            raise NotApplicable("The tenant has no scaling policy, so no worker is started for it.") from None
        fleet = fleet_or_none()
        profiles = effective_profiles([tenant.id], now=utc_now())
        granted = granted_amounts(profiles)[tenant.id]
    share = share_of(granted, most=profiles[tenant.id].scaling.max_replicas).limits
    live = fleet.tenants[tenant.id].live if fleet and tenant.id in fleet.tenants else ()
    running = len(live)
    if running > policy.max_replicas:
        raise Broken(f"{running} workers run, and the policy allows {policy.max_replicas}.")
    free = [worker.pid for worker in live if _is_free(worker, share)]
    if free:
        raise Broken(f"The profile limits workers, and nothing holds processes {', '.join(map(str, free))}.")
    held = "".join(f" Pid {worker.pid}: {_held(worker)}." for worker in live)
    return f"{running} of at most {policy.max_replicas} workers run.{held}"


def _is_free(worker: WorkerView, share: WorkerLimits) -> bool:
    """Whether the profile limits something of it that was not limited when it was started, or that nothing enforces."""
    memory = bool(share.memory_bytes) and not worker.limits.memory_bytes
    cpu = bool(share.cpu_millicores) and not worker.limits.cpu_millicores
    return memory or cpu or (share != WorkerLimits() and not worker.held_by)


def _held(worker: WorkerView) -> str:
    memory, cpu = worker.limits.memory_bytes // _MIB, worker.limits.cpu_millicores
    return f"memory {memory or 'no'} MiB, CPU {cpu or 'no'} m, by {', '.join(worker.held_by) or 'nothing'}"


@proves(FenceKind.COMPUTE, "hosts_by_level", _("Hosts are shared or its own, as its isolation level says"))
def hosts_by_level(tenant: TenantRef) -> str:
    """Whose hosts the tenant's resources are on, and who else is there, by the tables and by the backend's report.

    Its owners read this too: it says how many hosts and never which, and of others not even how many.
    """
    with platform_scope():
        at, fleet = host_standing(tenant.id, now=utc_now()), fleet_or_none()
    if at.foreign:
        raise Broken(f"It holds something on {_hosts(at.foreign)} that others have for themselves.")
    if at.intruders:
        raise Broken("Others hold something on hosts that are reserved for it.")
    if not at.dedicated:
        return f"Level standard: it shares {_hosts(at.hosts)}, and none is another's own."
    if at.shared:
        raise Broken(f"Level dedicated, and it holds something on {_hosts(at.shared)} that others share.")
    if _is_beside_others(tenant, fleet):
        raise Broken("Level dedicated, and workers of others run on the same machine.")
    if not at.hosts:
        raise NotApplicable("Level dedicated, and no host is reserved for it: it has to wait, and no worker runs.")
    return f"Level dedicated: everything is on {_hosts(at.hosts)}, reserved for it, and nobody else is there."


def _hosts(names: Collection[str]) -> str:
    return f"{len(names) or 'no'} {'host' if len(names) == 1 else 'hosts'}"


def _is_beside_others(tenant: TenantRef, fleet: Fleet | None) -> bool:
    """Whether other tenants' workers live on the machine where this one's do."""
    if fleet is None or not fleet.tenants.get(tenant.id, TenantWorkers()).live:
        return False
    return any(seen.live for other, seen in fleet.tenants.items() if other != tenant.id)


@proves(FenceKind.COMPUTE, "worker_runs_as_tenant", _("A worker sees this tenant's rows only"))
def worker_runs_as_tenant(tenant: TenantRef) -> str:
    """What a worker said of itself when it was last asked: as whom it runs, and how many policies it can see."""
    probe = last_probe(tenant.id)
    if probe is None:
        raise NotApplicable("No worker was asked within the last hour; send a probe from the scaling page.")
    if (probe.role, probe.schema) != (tenant.schema_name, tenant.schema_name) or probe.policies_visible > 1:
        raise Broken(f"A worker ran as {probe.role} and saw {probe.policies_visible} scaling policies.")
    age = int((utc_now() - probe.at).total_seconds())
    return (
        f"{age} s ago pid {probe.pid} ran as role {probe.role} in its schema, and saw {probe.policies_visible} policy."
    )


class _Probe(TenantTask):
    """Never sent anywhere: only handed to a worker of somebody else."""

    name = "scaling.isolation.probe"

    def run(self, *, tenant_id: str) -> None:
        raise Broken("A worker of one tenant ran a task of another one.")


@proves(FenceKind.COMPUTE, "foreign_task_refused", _("A worker refuses another tenant's task"))
def foreign_task_refused(tenant: TenantRef) -> str:
    """A task in another tenant's name, handed to what a worker of this tenant does before a task begins."""
    try:
        _Probe().check_worker(tenant_id=new_ulid(), pinned=tenant.id)
    except WrongTenant as error:
        return (
            f"A task of another tenant in this tenant's worker: {type(error).__name__}, refused before its first line."
        )
    raise Broken("A worker of this tenant would run another tenant's task.")
