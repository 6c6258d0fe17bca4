"""What a file asks for against what there is: the changes, in the order in which they must happen.

Owns the order of the sections. What a file does not mention stays as it is; nothing is removed by leaving it out.
"""

from __future__ import annotations

from lumos_site.configuration.capacity_changes import compare_hosts, compare_pools
from lumos_site.configuration.catalogue_changes import compare_models, compare_providers
from lumos_site.configuration.changes import Change, Findings
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import Document
from lumos_site.configuration.plan_changes import compare_plans, compare_types
from lumos_site.configuration.profile_changes import compare_profiles
from lumos_site.configuration.tenant_changes import compare_tenants


def changes_between(wanted: Document, current: Current) -> list[Change]:
    """The changes that lead from `current` to `wanted`. Raises ConfigurationRefused for what cannot be."""
    findings = Findings()
    compare_pools(wanted, current, findings)
    compare_providers(wanted, current, findings)
    compare_models(wanted, current, findings)
    compare_plans(wanted, current, findings)
    compare_types(wanted, current, findings)
    compare_profiles(wanted, current, findings)
    compare_tenants(wanted, current, findings)
    compare_hosts(wanted, current, findings)  # they may be reserved for tenants that the file makes
    findings.refuse_mistakes()
    return findings.changes
