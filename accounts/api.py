"""The accounts app's front door."""

from accounts import pages
from accounts.data import FactorFacts, FactorKind, Place, SessionFacts, Who
from accounts.pages import Face, place_of, safe_address
from accounts.selectors import factors_shown, has_factor, identity_provider, sessions_of
from accounts.services.letters import note_proved_address
from accounts.services.providers import ProviderInput, remove_identity_provider, set_identity_provider
from accounts.services.sessions import end_other_sessions, keep_only_this_session, reset_factors
from accounts.services.sign_in import begin_sign_in, let_in, who_is

__all__ = [
    "Face",
    "FactorFacts",
    "FactorKind",
    "Place",
    "ProviderInput",
    "SessionFacts",
    "Who",
    "begin_sign_in",
    "end_other_sessions",
    "factors_shown",
    "has_factor",
    "identity_provider",
    "keep_only_this_session",
    "let_in",
    "note_proved_address",
    "pages",
    "place_of",
    "remove_identity_provider",
    "reset_factors",
    "safe_address",
    "sessions_of",
    "set_identity_provider",
    "who_is",
]
