"""Errors of scaling.

LumosError
├── InvalidInput
│   └── PolicyInvalid     a policy that breaks one of its constraints; `fields` names it
├── NotFound
│   └── PolicyNotFound    the tenant has no policy
└── Unavailable
    └── BackendAway       orders and reports cannot be exchanged now
"""

from __future__ import annotations

from core.errors import InvalidInput, NotFound, Unavailable


class PolicyInvalid(InvalidInput):
    code = "scaling_policy_invalid"
    title = "The scaling policy is not valid"


class PolicyNotFound(NotFound):
    code = "scaling_policy_not_found"
    title = "This tenant has no scaling policy"


class BackendAway(Unavailable):
    code = "scaling_backend_away"
    title = "The scaling backend cannot be reached"
