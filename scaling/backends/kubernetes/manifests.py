"""One tenant's namespace and everything in it, as Kubernetes manifests: pure; owns the fence around its workers.

Nothing reaches a worker, and a worker reaches the cluster's names, PostgreSQL, Redis and the gateway, and nothing else:
not another tenant's namespace, not the cluster's API, not the internet. It runs as nobody, without a token of the
cluster, on a file system that it cannot write, within what its tenant's profile grants.

The cluster's operator makes one thing by hand, because no secret is written to a file: the Secret `lumos-worker` in the
namespace, with DATABASE_URL, REDIS_URL and secrets.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scaling.conf import MEBIBYTE
from scaling.data import WorkerShare
from tenants.api import ResourceAmounts

Manifest = dict[str, Any]
SECRET: Final = "lumos-worker"  # noqa: S105 - the name of a Secret, which is not in here
RESERVED: Final = "lumos/reserved-for"
_NOBODY: Final = 65532
_OWNER: Final = "app.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Workload:
    """What is granted to one tenant: all its workers together `ceiling`, each of them `share`; amounts of 0 limit
    nothing, but GPUs, of which 0 are none. `dedicated`: on nodes that are reserved for the tenant."""

    tenant_id: str
    slug: str
    queue: str
    replicas: int
    ceiling: ResourceAmounts
    share: WorkerShare
    dedicated: bool = False

    @property
    def namespace(self) -> str:
        return f"lumos-t-{self.tenant_id}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the platform's own parts are: pods of its namespace, told by `app.kubernetes.io/component`."""

    image: str
    platform_namespace: str = "lumos"
    postgresql_port: int = 5432
    redis_port: int = 6379
    gateway_port: int = 8080


def manifests_of(workload: Workload, cluster: Cluster) -> list[Manifest]:
    """In the order in which they are applied; the fence stands before anything runs behind it."""
    return [
        _namespace(workload),
        _deny_everything(workload),
        _allow_what_is_needed(workload, cluster),
        _quota(workload),
        *_limit_range(workload),
        _service_account(workload),
        _deployment(workload, cluster),
    ]


def _made(kind: str, version: str, name: str, workload: Workload, **content: Any) -> Manifest:
    metadata = {"name": name, "namespace": workload.namespace, "labels": _labels(workload)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _labels(workload: Workload) -> dict[str, str]:
    return {f"{_OWNER}/part-of": "lumos", "lumos/tenant": workload.tenant_id}


def _namespace(workload: Workload) -> Manifest:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": workload.namespace,
            "labels": {**_labels(workload), **levels, "lumos/isolation": _level(workload)},
            "annotations": {"lumos/slug": workload.slug},
        },
    }


def _level(workload: Workload) -> str:
    return "dedicated" if workload.dedicated else "standard"


def _deny_everything(workload: Workload) -> Manifest:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return _made("NetworkPolicy", "networking.k8s.io/v1", "deny-everything", workload, spec=spec)


def _allow_what_is_needed(workload: Workload, cluster: Cluster) -> Manifest:
    names = _to("kube-system", {"k8s-app": "kube-dns"}, (53, "UDP"), (53, "TCP"))
    parts = {
        "postgresql": cluster.postgresql_port,
        "redis": cluster.redis_port,
        "gateway": cluster.gateway_port,
    }
    platform = [
        _to(cluster.platform_namespace, {f"{_OWNER}/component": part}, (port, "TCP")) for part, port in parts.items()
    ]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [names, *platform]}
    return _made("NetworkPolicy", "networking.k8s.io/v1", "allow-what-is-needed", workload, spec=spec)


def _to(namespace: str, pods: dict[str, str], *ports: tuple[int, str]) -> Manifest:
    """Both selectors in one entry: these pods in that namespace. Two entries would mean either."""
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": pods},
    }
    return {"to": [peer], "ports": [{"port": port, "protocol": protocol} for port, protocol in ports]}


def _quota(workload: Workload) -> Manifest:
    """All that the tenant may have; what it has no use for is 0, so that nobody makes one in its name."""
    ceiling = workload.ceiling
    limited = _quantities(ceiling.cpu_millicores, ceiling.memory_mib, ceiling.storage_mib)
    hard = {f"limits.{kind}": quantity for kind, quantity in limited.items()}
    hard |= {f"requests.{kind}": limited[kind] for kind in ("cpu", "memory") if kind in limited}
    hard |= {
        "pods": str(workload.share.workers),
        "requests.nvidia.com/gpu": str(ceiling.gpus),
        "persistentvolumeclaims": "0",
        "services": "0",
    }
    return _made("ResourceQuota", "v1", "ceiling", workload, spec={"hard": hard})


def _limit_range(workload: Workload) -> list[Manifest]:
    share = _share(workload)
    limit = {"type": "Container", "default": share, "defaultRequest": share, "max": share}
    return [_made("LimitRange", "v1", "share", workload, spec={"limits": [limit]})] if share else []


def _share(workload: Workload) -> dict[str, str]:
    limits = workload.share.limits
    return _quantities(limits.cpu_millicores, limits.memory_bytes // MEBIBYTE, workload.share.storage_mib)


def _quantities(cpu_millicores: int, memory_mib: int, storage_mib: int) -> dict[str, str]:
    """As Kubernetes writes them, without the kinds that nothing limits: its own 0 would let nothing run."""
    kinds = {
        "cpu": (cpu_millicores, "m"),
        "memory": (memory_mib, "Mi"),
        "ephemeral-storage": (storage_mib, "Mi"),
    }
    return {kind: f"{amount}{unit}" for kind, (amount, unit) in kinds.items() if amount}


def _service_account(workload: Workload) -> Manifest:
    return _made("ServiceAccount", "v1", "worker", workload, automountServiceAccountToken=False)


def _deployment(workload: Workload, cluster: Cluster) -> Manifest:
    labels = {**_labels(workload), f"{_OWNER}/component": "worker"}
    spec = {
        "replicas": min(workload.replicas, workload.share.workers),
        # A new worker starts when an old one has gone: the quota has no room for both.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        "selector": {"matchLabels": {"lumos/tenant": workload.tenant_id, f"{_OWNER}/component": "worker"}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(workload, cluster)},
    }
    return _made("Deployment", "apps/v1", "worker", workload, spec=spec)


def _pod(workload: Workload, cluster: Cluster) -> Manifest:
    return {
        "serviceAccountName": "worker",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **_nodes(workload),
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "fsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 60,
        "containers": [_container(workload, cluster)],
        "volumes": [
            {"name": "secrets", "secret": {"secretName": SECRET, "items": [_SECRETS_FILE], "defaultMode": 0o440}},
            {"name": "scratch", "emptyDir": _scratch(workload)},
        ],
    }


def _nodes(workload: Workload) -> Manifest:
    """On which nodes its pods go. A node is reserved by a label and a taint of that name, with the tenant's id."""
    if workload.dedicated:
        mine = {"key": RESERVED, "operator": "Equal", "value": workload.tenant_id}
        return {"nodeSelector": {RESERVED: workload.tenant_id}, "tolerations": [mine]}
    shared = {"matchExpressions": [{"key": RESERVED, "operator": "DoesNotExist"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [shared]}}
    return {"affinity": {"nodeAffinity": required}}


def _scratch(workload: Workload) -> Manifest:
    size = _share(workload).get("ephemeral-storage")
    return {"sizeLimit": size} if size else {}


_SECRETS_FILE: Final = {"key": "secrets.json", "path": "secrets.json"}


def _container(workload: Workload, cluster: Cluster) -> Manifest:
    share = _share(workload)
    command = ["python", "-m", "celery", "-A", "lumos_site", "worker", "-Q", workload.queue, "-P", "solo"]
    return {
        "name": "worker",
        "image": cluster.image,
        "command": [*command, "--without-gossip", "--without-mingle", "-l", "WARNING"],
        "env": [
            {"name": "DJANGO_SETTINGS_MODULE", "value": "lumos_site.settings.worker"},
            {"name": "LUMOS_ROLE", "value": "worker"},
            {"name": "LUMOS_WORKER_TENANT", "value": workload.tenant_id},
            {"name": "LUMOS_SECRETS_FILE", "value": "/secrets/secrets.json"},
            {"name": "LUMOS_VAR", "value": "/scratch"},
            {"name": "TMPDIR", "value": "/scratch"},
            *({"name": name, "valueFrom": _from_secret(name)} for name in ("DATABASE_URL", "REDIS_URL")),
        ],
        "resources": {"requests": share, "limits": share},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "secrets", "mountPath": "/secrets", "readOnly": True},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    }


def _from_secret(name: str) -> Manifest:
    return {"secretKeyRef": {"name": SECRET, "key": name}}
