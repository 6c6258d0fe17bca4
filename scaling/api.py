"""The scaling app's front door."""

from scaling.backends.kubernetes.manifests import Cluster, Manifest, Workload, manifests_of
from scaling.data import (
    DecisionFacts,
    Fleet,
    Machine,
    Mode,
    ProbeReport,
    Reason,
    ScalingStatus,
    TenantWorkers,
    TickResult,
    WorkerStatus,
    WorkerView,
)
from scaling.errors import BackendAway, PolicyInvalid, PolicyNotFound
from scaling.loop import settle_tenant, tick
from scaling.models import ScalingDecision, ScalingPolicy
from scaling.probe import last_probe
from scaling.selectors import fleet_or_none, policy_of, recent_changes, status_of
from scaling.services import POLICY_FIELDS, ensure_policy, pause_policy, resume_policy, send_probes, set_policy
from scaling.workloads import workloads_of

__all__ = [
    "POLICY_FIELDS",
    "BackendAway",
    "Cluster",
    "DecisionFacts",
    "Fleet",
    "Machine",
    "Manifest",
    "Mode",
    "PolicyInvalid",
    "PolicyNotFound",
    "ProbeReport",
    "Reason",
    "ScalingDecision",
    "ScalingPolicy",
    "ScalingStatus",
    "TenantWorkers",
    "TickResult",
    "WorkerStatus",
    "WorkerView",
    "Workload",
    "ensure_policy",
    "fleet_or_none",
    "last_probe",
    "manifests_of",
    "pause_policy",
    "policy_of",
    "recent_changes",
    "resume_policy",
    "send_probes",
    "set_policy",
    "settle_tenant",
    "status_of",
    "tick",
    "workloads_of",
]
