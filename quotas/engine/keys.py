"""Names of what quotas keeps in Redis.

All keys of one tenant share the hash tag {tenant id}. The reservation script also touches keys outside the tag
(epoch, expiry index, alerts, usage stream), so one Redis server is required, not a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.redis import key


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """The keys of one installation. `root` is the common beginning of every key that belongs to a tenant.

    `usage` is read by billing. `sequence` is written by the proxy's publisher: the number of its last change.
    """

    root: str
    epoch: str
    recovery: str
    expiry: str
    alerts: str
    usage: str
    sequence: str

    @classmethod
    def of_installation(cls) -> EngineKeys:
        return cls.under(key("quota"), usage=key("usage"), sequence=key("gw", "sequence"))

    @classmethod
    def under(cls, root: str, *, usage: str, sequence: str) -> EngineKeys:
        return cls(
            root=root,
            epoch=f"{root}:epoch",
            recovery=f"{root}:recovery",
            expiry=f"{root}:expiry",
            alerts=f"{root}:alerts",
            usage=usage,
            sequence=sequence,
        )

    def tenant(self, tenant_id: str) -> str:
        """The beginning of everything that belongs to a tenant."""
        return f"{self.root}:{{{tenant_id}}}"

    def key_scope(self, tenant_id: str, key_id: str) -> str:
        return f"{self.tenant(tenant_id)}:key:{key_id}"

    def period(self, tenant_id: str, period_id: str) -> str:
        return f"{self.tenant(tenant_id)}:period:{period_id}"

    def reservation(self, tenant_id: str, reservation_id: str) -> str:
        return f"{self.root}:{{{tenant_id}}}:res:{reservation_id}"

    def correction(self, tenant_id: str, correction_id: str) -> str:
        return f"{self.tenant(tenant_id)}:correction:{correction_id}"


def used_field(dimension: str) -> str:
    return f"{dimension}:used"
