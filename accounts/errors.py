"""Errors of the accounts app.

LumosError
├── NotAuthenticated
│   ├── WrongCode
│   ├── WrongPasskey
│   ├── NoSignInWaiting
│   ├── LetterVoid
│   └── SignInRefused
├── PermissionRefused
│   └── LastFactor
├── NotFound
│   ├── NoProvider
│   ├── FactorNotFound
│   └── SessionNotFound
├── Unavailable
│   ├── CodesSealed
│   ├── ProviderFailed
│   └── ProviderBusy
└── Conflict
    ├── FactorThere
    ├── AddressTaken
    └── IdentityTaken
"""

from __future__ import annotations

from core.errors import Conflict, NotAuthenticated, NotFound, PermissionRefused, Unavailable


class WrongCode(NotAuthenticated):
    code = "wrong_code"
    title = "The code is wrong, too old, or was used already"


class WrongPasskey(NotAuthenticated):
    code = "wrong_passkey"
    title = "This passkey was not accepted here"


class NoSignInWaiting(NotAuthenticated):
    code = "no_sign_in_waiting"
    title = "This sign-in took too long; begin again"


class LastFactor(PermissionRefused):
    code = "last_factor"
    title = "This account may not be left without a second factor"


class CodesSealed(Unavailable):
    code = "codes_sealed"
    title = "Codes of authenticator apps cannot be checked while this installation lacks its master key"


class FactorNotFound(NotFound):
    code = "factor_not_found"
    title = "There is no such factor"


class SessionNotFound(NotFound):
    code = "session_not_found"
    title = "There is no such session"


class FactorThere(Conflict):
    code = "factor_there"
    title = "There is an authenticator app already"


class LetterVoid(NotAuthenticated):
    code = "letter_void"
    title = "This link is used, replaced or too old"


class AddressTaken(Conflict):
    code = "address_taken"
    title = "Another account has proved this address"


class SignInRefused(NotAuthenticated):
    code = "sign_in_refused"
    title = "Your identity provider's answer lets nobody in here"


class NoProvider(NotFound):
    code = "no_identity_provider"
    title = "This workspace has no identity provider"


class ProviderFailed(Unavailable):
    code = "identity_provider_failed"
    title = "The identity provider does not answer as it should"


class ProviderBusy(Unavailable):
    code = "identity_provider_busy"
    title = "Too many people wait for the identity provider; try again in a few seconds"


class IdentityTaken(Conflict):
    code = "identity_taken"
    title = "This identity belongs to another account here"
