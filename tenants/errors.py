"""Errors of the tenants app.

LumosError
├── InvalidInput
│   ├── SlugNotUsable
│   └── KeyNotWellFormed
├── NotFound
│   ├── TenantNotFound
│   ├── KeyNotFound
│   └── AccountNotFound
└── Conflict
    ├── SlugTaken
    ├── LastSuperOperator
    └── WrongStatus
"""

from __future__ import annotations

from core.errors import Conflict, InvalidInput, NotFound


class SlugNotUsable(InvalidInput):
    code = "slug_not_usable"
    title = "A slug has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter"


class KeyNotWellFormed(InvalidInput):
    code = "key_not_well_formed"
    title = "This is not an API key of ours: prefix or checksum is wrong"


class TenantNotFound(NotFound):
    code = "tenant_not_found"
    title = "There is no such tenant"


class KeyNotFound(NotFound):
    code = "key_not_found"
    title = "There is no such API key"


class SlugTaken(Conflict):
    code = "slug_taken"
    title = "Another tenant has this slug"


class WrongStatus(Conflict):
    code = "wrong_status"
    title = "The tenant's status does not allow this"


class AccountNotFound(NotFound):
    code = "account_not_found"
    title = "There is no such account"


class LastSuperOperator(Conflict):
    code = "last_super_operator"
    title = "This is the last operator who may do everything"
