"""The values that cross the border of `scaling`: it owns their shape and no rule about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Mode(StrEnum):
    """What a policy's decisions may do."""

    AUTO = "auto"
    RECOMMEND_ONLY = "recommend_only"
    PAUSED = "paused"


class Metric(StrEnum):
    CPU = "cpu"
    MEMORY = "memory"
    QUEUE = "queue"


class Health(StrEnum):
    """How far one metric can be trusted in this round."""

    OK = "ok"
    PARTIAL = "partial"  # some replicas gave no sample: it may raise, never lower
    MISSING = "missing"  # no sample at all: it may not speak, and it forbids lowering
    WARMING = "warming"  # replicas exist but are too young to be measured: keep what there is
    IDLE = "idle"  # no replica exists, so there is nothing to measure


class Reason(StrEnum):
    """Why a decision ended where it did: the last step that bent it, or its direction when none did."""

    STEADY = "steady"
    SCALED_UP = "scaled_up"
    SCALED_DOWN = "scaled_down"
    METRIC_MISSING = "metric_missing"
    WINDOW_NOT_FULL = "window_not_full"
    STABILISED = "stabilised"
    STEP_LIMIT = "step_limit"
    AT_MINIMUM = "at_minimum"
    AT_MAXIMUM = "at_maximum"
    AT_ALLOCATION = "at_allocation"
    MACHINE_CAPACITY = "machine_capacity"
    COOLDOWN_UP = "cooldown_up"
    COOLDOWN_DOWN = "cooldown_down"
    RECOMMEND_ONLY = "recommend_only"
    PAUSED = "paused"
    TENANT_INACTIVE = "tenant_inactive"


class WorkerStatus(StrEnum):
    """Life of one worker process, in order."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """A policy as the decision reads it. Percentages are of one replica's request (one core, its memory)."""

    label: str
    min_replicas: int
    max_replicas: int
    cpu_target_percent: int
    memory_target_percent: int
    queue_target: int | None
    scale_up_cooldown_seconds: int
    scale_down_cooldown_seconds: int
    mode: Mode = Mode.AUTO


@dataclass(frozen=True, slots=True)
class ReplicaSample:
    """One live replica that is not draining. A replica that is not ready is too young to be measured."""

    ready: bool
    cpu_percent: int | None
    memory_percent: int | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What one round saw. `current` is the number last asked for, not the number of processes alive.

    `capacity` is the most replicas this tenant may have on the machine as it stands; None is "not known".
    `allotted` are the worker slots that were allocated to the tenant; None is "not rationed". `fitting` are the workers
    among which what the tenant may take can be divided; None is "not limited".
    `last_death` says why the last worker died on its own, while that is still a reason not to start another at once.
    `queue_depth` counts waiting and running tasks together; None is "could not be read".
    """

    current: int
    replicas: tuple[ReplicaSample, ...]
    queue_depth: int | None
    observed_at: datetime | None
    capacity: int | None = None
    tenant_active: bool = True
    allotted: int | None = None
    fitting: int | None = None
    last_death: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which every round recommended the same number."""

    first_at: datetime
    last_at: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class History:
    """What the decision remembers: earlier recommendations (oldest first) and the last real changes."""

    spans: tuple[Span, ...] = ()
    scaled_up_at: datetime | None = None
    scaled_down_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric asks for. `replicas` is None when the metric has no say: unknown, or content."""

    metric: Metric
    health: Health
    value: int | None
    target: int
    replicas: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """One step that bent the number, and what it says to an operator."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One round's outcome. `recommendation` is what to remember; `wanted` is where a free hand would go."""

    current: int
    proposals: tuple[Proposal, ...]
    recommendation: int
    wanted: int
    final: int
    reason: Reason
    notes: tuple[Note, ...]
    sentence: str

    @property
    def changed(self) -> bool:
        return self.final != self.current


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one worker may take of its machine; 0 is "not limited"."""

    memory_bytes: int = 0
    cpu_millicores: int = 0


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """How a tenant's ceiling is divided: among how many workers at most, and what each may take; 0 MiB of storage is
    "not limited"."""

    workers: int
    limits: WorkerLimits
    storage_mib: int = 0


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process as its backend last saw it. `held_by` names what enforces its limits there."""

    pid: int
    created_at: float
    status: WorkerStatus
    cpu_percent: int | None
    rss_bytes: int
    age_seconds: int
    limits: WorkerLimits = WorkerLimits()
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TenantWorkers:
    """The workers of one tenant, and whether they die as fast as they are started, and of what the last one did."""

    workers: tuple[WorkerView, ...] = ()
    crashes: int = 0
    retry_in_seconds: int = 0
    last_death: str = ""

    @property
    def live(self) -> tuple[WorkerView, ...]:
        return tuple(w for w in self.workers if w.status is not WorkerStatus.DRAINING)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine under a backend, as the backend itself measured it."""

    memory_total: int
    memory_available: int
    cpus: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything one backend reported at one instant."""

    observed_at: datetime
    machine: Machine
    tenants: dict[str, TenantWorkers]


@dataclass(frozen=True, slots=True)
class Target:
    """An order to a backend: this queue, so many replicas, how long one that must go may finish its task, and what
    each that is started from now on may take."""

    queue: str
    replicas: int
    drain_seconds: int
    limits: WorkerLimits = WorkerLimits()


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick did. `led` is False when another tick held the lead, and then nothing was decided."""

    led: bool
    decided: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class ScalingStatus:
    """One tenant's scaling at a glance: for admin, portal and REST."""

    tenant_id: str
    slug: str
    mode: Mode
    desired: int
    min_replicas: int
    max_replicas: int
    workers: TenantWorkers
    observed_at: datetime | None
    last_sentence: str
    last_decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """A stored decision: a change, or `count` equal rounds without one between `first_at` and `last_at`."""

    id: str
    tenant_id: str
    policy_version: int
    current: int
    wanted: int
    final: int
    reason: Reason
    sentence: str
    changed: bool
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a tenant's worker said of itself: as whom it runs, and how many policies it can see (one, its own)."""

    tenant_id: str
    at: datetime
    pid: int
    role: str
    schema: str
    policies_visible: int
    took_ms: int
