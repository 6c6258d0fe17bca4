"""The accounts app's front door."""

from accounts import pages
from accounts.data import FactorFacts, FactorKind, Place, SessionFacts, Who
from accounts.pages import Face, place_of, safe_address
from accounts.selectors import factors_shown, has_factor, sessions_of
from accounts.services.letters import note_proved_address
from accounts.services.sessions import end_other_sessions, keep_only_this_session, reset_factors
from accounts.services.sign_in import begin_sign_in, let_in, who_is

__all__ = [
    "Face",
    "FactorFacts",
    "FactorKind",
    "Place",
    "SessionFacts",
    "Who",
    "begin_sign_in",
    "end_other_sessions",
    "factors_shown",
    "has_factor",
    "keep_only_this_session",
    "let_in",
    "note_proved_address",
    "pages",
    "place_of",
    "reset_factors",
    "safe_address",
    "sessions_of",
    "who_is",
]
