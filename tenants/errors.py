"""Errors of the tenants app.

LumosError
├── InvalidInput
│   ├── SlugNotUsable
│   ├── ProfileValueNotUsable
│   └── KeyNotWellFormed
├── NotFound
│   ├── TenantNotFound
│   ├── KeyNotFound
│   ├── JobNotFound
│   ├── AccountNotFound
│   ├── MemberNotFound
│   ├── InvitationNotFound
│   ├── OverrideNotFound
│   ├── SessionNotFound
│   ├── ReportNotFound
│   └── BackupNotFound
├── PermissionRefused
│   ├── AddressNotAllowed
│   ├── HandoverInvalid
│   └── InvitationNotForYou
├── NotAuthenticated
│   ├── WrongCredentials
│   ├── SecondFactorNeeded
│   ├── FactorNotProved
│   └── RefreshTokenInvalid
├── BackupFailed
├── Conflict
│   ├── RefreshTokenUsed
│   ├── ImpersonationOpen
│   ├── ImpersonationOver
│   ├── BackupNotTrue
│   ├── SlugTaken
│   ├── LastSuperOperator
│   ├── LastOwner
│   ├── AddressNotProved
│   ├── TooManyKeys
│   ├── WouldLockOut
│   └── WrongStatus
└── Unavailable
    └── TemplateBehind
"""

from __future__ import annotations

from core.errors import (
    Conflict,
    InvalidInput,
    LumosError,
    NotAuthenticated,
    NotFound,
    PermissionRefused,
    Unavailable,
)


class SlugNotUsable(InvalidInput):
    code = "slug_not_usable"
    title = "A slug has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter"


class ProfileValueNotUsable(InvalidInput):
    code = "profile_value_not_usable"
    title = "This cannot be the value of a profile's field"


class OverrideNotFound(NotFound):
    code = "override_not_found"
    title = "There is no such override, or it is over already"


class KeyNotWellFormed(InvalidInput):
    code = "key_not_well_formed"
    title = "This is not an API key of ours: prefix or checksum is wrong"


class NameNotTyped(InvalidInput):
    code = "name_not_typed"
    title = "Type the tenant's name exactly to delete it"


class TenantNotFound(NotFound):
    code = "tenant_not_found"
    title = "There is no such tenant"


class KeyNotFound(NotFound):
    code = "key_not_found"
    title = "There is no such API key"


class JobNotFound(NotFound):
    code = "job_not_found"
    title = "There is no such job"


class SlugTaken(Conflict):
    code = "slug_taken"
    title = "Another tenant has this slug"


class TooManyKeys(Conflict):
    code = "too_many_keys"
    title = "This tenant has as many keys as one may have; revoke some that are not used"


class MasterKeyInUse(Conflict):
    code = "master_key_in_use"
    title = "This version of the master key is in use"


class WrongStatus(Conflict):
    code = "wrong_status"
    title = "The tenant's status does not allow this"


class AccountNotFound(NotFound):
    code = "account_not_found"
    title = "There is no such account"


class LastSuperOperator(Conflict):
    code = "last_super_operator"
    title = "This is the last operator who may do everything"


class BackupNotFound(NotFound):
    code = "backup_not_found"
    title = "There is no such backup"


class ReportNotFound(NotFound):
    code = "isolation_report_not_found"
    title = "No isolation report was run for this tenant yet"


class BackupFailed(LumosError):
    code = "backup_failed"
    title = "The backup could not be made or read"


class BackupNotTrue(Conflict):
    code = "backup_not_true"
    title = "What was restored is not what was backed up, so nothing was changed"


class MemberNotFound(NotFound):
    code = "member_not_found"
    title = "There is no such member"


class InvitationNotFound(NotFound):
    code = "invitation_not_found"
    title = "This invitation is used, withdrawn or expired"


class InvitationNotForYou(PermissionRefused):
    code = "invitation_not_for_you"
    title = "This invitation is for another address than the account's"


class LastOwner(Conflict):
    code = "last_owner"
    title = "This is the workspace's last owner"


class AddressNotAllowed(PermissionRefused):
    code = "address_not_allowed"
    title = "Nobody may call from this address"


class WouldLockOut(Conflict):
    code = "would_lock_out"
    title = "With these networks you could not come back from where you are"


class TemplateBehind(Unavailable):
    code = "template_behind"
    title = "New schemas wait until the template schema and this code have the same migrations: run ./lumos prepare"


class SessionNotFound(NotFound):
    code = "session_not_found"
    title = "There is no such session"


class WrongCredentials(NotAuthenticated):
    code = "wrong_credentials"
    title = "E-mail or password is wrong"


class SecondFactorNeeded(NotAuthenticated):
    code = "second_factor_needed"
    title = "This account has a second factor: send its code, too"


class RefreshTokenInvalid(NotAuthenticated):
    code = "refresh_token_invalid"
    title = "This refresh token opens nothing: unknown, used, expired or ended"


class RefreshTokenUsed(Conflict):
    code = "refresh_token_used"
    title = "This refresh token was used a moment ago; go on with the one that was given for it"


class FactorNotProved(NotAuthenticated):
    code = "second_factor_not_proved"
    title = "This session has not proved a second factor"


class AddressNotProved(Conflict):
    code = "address_not_proved"
    title = "Owners and admins have an e-mail address that is confirmed"


class HandoverInvalid(PermissionRefused):
    code = "handover_invalid"
    title = "This link is used, too old, or another tenant's"


class ImpersonationOpen(Conflict):
    code = "impersonation_open"
    title = "You act for somebody already"


class ImpersonationOver(Conflict):
    code = "impersonation_over"
    title = "This visit is over"
