"""Kubernetes manifests of a tenant: valid by the cluster's own schema, and meaning what the fence is to mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.core.management import CommandError, call_command

from core.clock import utc_now
from core.ids import new_ulid
from scaling.backends.kubernetes.manifests import RESERVED, SECRET, Cluster, Manifest, Workload, manifests_of
from scaling.shares import share_of
from tenants.api import ResourceAllocator, ResourceAmounts
from tests.cast import TESTER, Player


def workload(slug: str, replicas: int, **amounts: int) -> Workload:
    ceiling = ResourceAmounts(**amounts)
    return Workload(new_ulid(), slug, f"tenant.{slug}", replicas, ceiling, share_of(ceiling, most=9))


ACME = workload("acme", 3, worker_slots=4, cpu_millicores=2000, memory_mib=4096, storage_mib=8192)
GLOBEX = workload("globex", 1, worker_slots=1, cpu_millicores=500, memory_mib=512, storage_mib=1024)
FREE = workload("free", 2)
CLUSTER = Cluster(image="registry.example/lumos:1")
VERSIONS = ("1.30", "1.33")


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: tuple[tuple[str, str], ...] = ()


WORKER = Pod(ACME.namespace, (("lumos/tenant", ACME.tenant_id), ("app.kubernetes.io/component", "worker")))
NEIGHBOUR = Pod(GLOBEX.namespace, (("lumos/tenant", GLOBEX.tenant_id), ("app.kubernetes.io/component", "worker")))
DNS = Pod("kube-system", (("k8s-app", "kube-dns"),))
INTERNET = None


def part(name: str, namespace: str = "lumos") -> Pod:
    return Pod(namespace, (("app.kubernetes.io/component", name),))


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def goes(manifests: list[Manifest], pod: Pod, peer: Pod | None, port: int, protocol: str, *, egress: bool) -> bool:
    """Whether the policies let traffic between `pod` and `peer` pass in that direction, as the API defines them."""
    way, side = ("Egress", "to") if egress else ("Ingress", "from")
    mine = [
        policy["spec"]
        for policy in of_kind(manifests, "NetworkPolicy")
        if policy["metadata"]["namespace"] == pod.namespace
        and way in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], pod)
    ]
    rules = [rule for spec in mine for rule in spec.get(way.lower(), [])]
    return not mine or any(_passes(rule, side, peer, port, protocol) for rule in rules)


def _passes(rule: Manifest, side: str, peer: Pod | None, port: int, protocol: str) -> bool:
    fits = "ports" not in rule or any((p["port"], p["protocol"]) == (port, protocol) for p in rule["ports"])
    return fits and (side not in rule or any(_is_peer(entry, peer) for entry in rule[side]))


def _is_peer(entry: Manifest, peer: Pod | None) -> bool:
    assert set(entry) <= {"namespaceSelector", "podSelector"}
    if peer is None:
        return False  # addresses outside the cluster are named by ipBlock alone, which nothing here has
    there = Pod(peer.namespace, (("kubernetes.io/metadata.name", peer.namespace),))
    return _selects(entry["namespaceSelector"], there) and _selects(entry.get("podSelector", {}), peer)


def _selects(selector: Manifest, pod: Pod) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= dict(pod.labels).items()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("workload", [ACME, GLOBEX, FREE], ids=lambda each: each.slug)
def test_every_manifest_is_valid_by_the_clusters_own_schema(workload: Workload, version: str) -> None:
    for manifest in manifests_of(workload, CLUSTER):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schema_check_can_fail() -> None:
    deployment = manifests_of(ACME, CLUSTER)[-1]
    deployment["spec"]["replicas"] = "three"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


@pytest.mark.parametrize(
    ("peer", "port", "protocol", "expected"),
    [
        (DNS, 53, "UDP", True),
        (DNS, 53, "TCP", True),
        (DNS, 443, "TCP", False),
        (part("postgresql"), 5432, "TCP", True),
        (part("redis"), 6379, "TCP", True),
        (part("gateway"), 8080, "TCP", True),
        (part("gateway"), 22, "TCP", False),
        (part("postgresql"), 6379, "TCP", False),
        (part("control"), 8000, "TCP", False),
        (part("postgresql", "default"), 5432, "TCP", False),
        (Pod("kube-system"), 443, "TCP", False),
        (NEIGHBOUR, 5432, "TCP", False),
        (WORKER, 5432, "TCP", False),
        (INTERNET, 443, "TCP", False),
    ],
)
def test_a_worker_reaches_what_it_needs_and_nothing_else(
    peer: Pod | None, port: int, protocol: str, expected: bool
) -> None:
    everything = manifests_of(ACME, CLUSTER) + manifests_of(GLOBEX, CLUSTER)
    assert goes(everything, WORKER, peer, port, protocol, egress=True) is expected


@pytest.mark.parametrize("peer", [NEIGHBOUR, WORKER, DNS, part("gateway"), INTERNET])
def test_nobody_reaches_a_worker(peer: Pod | None) -> None:
    everything = manifests_of(ACME, CLUSTER) + manifests_of(GLOBEX, CLUSTER)
    assert not any(goes(everything, WORKER, peer, port, "TCP", egress=False) for port in (22, 80, 443, 8080))


def test_without_the_policies_everything_would_pass() -> None:
    assert goes([], WORKER, INTERNET, 443, "TCP", egress=True)
    assert goes([], WORKER, NEIGHBOUR, 22, "TCP", egress=False)


def test_a_worker_runs_as_nobody_and_holds_nothing_of_the_cluster() -> None:
    manifests = manifests_of(ACME, CLUSTER)
    [namespace] = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    [account] = of_kind(manifests, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    pod = of_kind(manifests, "Deployment")[0]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "LUMOS_WORKER_TENANT", "value": ACME.tenant_id} in container["env"]
    assert "hostPath" not in yaml.safe_dump(manifests)


def test_no_secret_is_written_and_one_is_named() -> None:
    text = yaml.safe_dump_all(manifests_of(ACME, CLUSTER))
    assert "kind: Secret" not in text
    assert "postgresql://" not in text
    assert SECRET in text


def test_workers_share_what_their_tenant_may_have() -> None:
    manifests = manifests_of(ACME, CLUSTER)
    hard = of_kind(manifests, "ResourceQuota")[0]["spec"]["hard"]
    assert (hard["pods"], hard["limits.cpu"], hard["limits.memory"]) == ("4", "2000m", "4096Mi")
    deployment = of_kind(manifests, "Deployment")[0]["spec"]
    share = {"cpu": "500m", "memory": "1024Mi", "ephemeral-storage": "2048Mi"}
    assert deployment["template"]["spec"]["containers"][0]["resources"] == {"requests": share, "limits": share}
    assert of_kind(manifests, "LimitRange")[0]["spec"]["limits"][0]["max"] == share
    assert deployment["replicas"] == 3


def test_no_more_workers_are_asked_for_than_fit_into_what_their_tenant_may_have() -> None:
    manifests = manifests_of(workload("crowd", 16, worker_slots=16, memory_mib=1024), CLUSTER)
    assert of_kind(manifests, "Deployment")[0]["spec"]["replicas"] == 5
    assert of_kind(manifests, "ResourceQuota")[0]["spec"]["hard"]["pods"] == "5"


def test_dedicated_workers_go_on_nodes_that_are_reserved_for_their_tenant_and_no_others_do() -> None:
    own = {"key": RESERVED, "operator": "Equal", "value": ACME.tenant_id}
    alone, shared = manifests_of(replace(ACME, dedicated=True), CLUSTER), manifests_of(GLOBEX, CLUSTER)
    pods = [of_kind(each, "Deployment")[0]["spec"]["template"]["spec"] for each in (alone, shared)]
    assert (pods[0]["nodeSelector"], pods[0]["tolerations"]) == ({RESERVED: ACME.tenant_id}, [own])
    [term] = pods[1]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": RESERVED, "operator": "DoesNotExist"}]}
    assert "tolerations" not in pods[1]
    levels = [each[0]["metadata"]["labels"]["lumos/isolation"] for each in (alone, shared)]
    assert levels == ["dedicated", "standard"]
    for manifest in alone:
        kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)


def test_what_nothing_limits_is_left_out_of_quota_and_shares() -> None:
    manifests = manifests_of(FREE, CLUSTER)
    hard = of_kind(manifests, "ResourceQuota")[0]["spec"]["hard"]
    assert hard == {"pods": "9", "requests.nvidia.com/gpu": "0", "persistentvolumeclaims": "0", "services": "0"}
    assert of_kind(manifests, "LimitRange") == []
    pod = of_kind(manifests, "Deployment")[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"requests": {}, "limits": {}}
    assert {"name": "scratch", "emptyDir": {}} in pod["volumes"]
    cpu_only = manifests_of(workload("cpu", 1, cpu_millicores=3, worker_slots=2), CLUSTER)
    assert of_kind(cpu_only, "LimitRange")[0]["spec"]["limits"][0]["max"] == {"cpu": "1m"}


@pytest.mark.django_db
class TestCommand:
    def run(self, *options: str) -> str:
        told = StringIO()
        call_command("render_k8s", *options, stdout=told)
        return told.getvalue()

    def test_each_active_tenant_gets_a_file(
        self, acme: Player, globex: Player, initech: Player, tmp_path: Path
    ) -> None:
        self.run("--output", str(tmp_path / "k8s"), "--image", "lumos:7")
        assert {path.name for path in (tmp_path / "k8s").iterdir()} == {"acme.yaml", "globex.yaml"}
        made: list[Any] = list(yaml.safe_load_all((tmp_path / "k8s" / "acme.yaml").read_text()))
        assert {manifest["metadata"].get("namespace") for manifest in made[1:]} == {f"lumos-t-{acme.tenant.id}"}
        assert globex.tenant.id not in (tmp_path / "k8s" / "acme.yaml").read_text()
        for manifest in made:
            kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)

    def test_what_was_allocated_beyond_the_profile_is_granted_too(self, acme: Player) -> None:
        amounts, now = ResourceAmounts(worker_slots=2, memory_mib=1024, gpus=1), utc_now()
        tenant_id = acme.tenant.id
        ResourceAllocator.allocate(tenant_id=tenant_id, request_key="x", amounts=amounts, acting=TESTER, now=now)
        made: list[Any] = list(yaml.safe_load_all(self.run("--tenant", "acme")))
        [quota] = of_kind(made, "ResourceQuota")
        hard = quota["spec"]["hard"]
        assert (hard["limits.memory"], hard["pods"], hard["requests.nvidia.com/gpu"]) == ("9216Mi", "22", "1")

    def test_one_tenant_is_printed(self, acme: Player, globex: Player) -> None:
        made = list(yaml.safe_load_all(self.run("--tenant", "globex")))
        assert {m["kind"] for m in made} >= {"Namespace", "NetworkPolicy", "Deployment", "ResourceQuota"}
        assert made[0]["metadata"]["annotations"] == {"lumos/slug": "globex"}

    def test_what_cannot_be_is_told(self, acme: Player, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="no tenant nobody"):
            self.run("--tenant", "nobody")
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandError, match="cannot be written"):
            self.run("--output", str(tmp_path / "file"))
