"""Pages on which people look after their own sign-in; the same on the operators' site and on portals, drawn by each."""

from accounts.pages.face import Face, place_of, safe_address
from accounts.pages.letters import address_link, ask_address, reset, reset_link, reset_new
from accounts.pages.openid import back, go, redirect_uri, tie
from accounts.pages.passkeys import add_a_passkey, enter
from accounts.pages.security import add_an_app, end_one, end_others, new_codes, overview, remove
from accounts.pages.steps import confirm, second_step

__all__ = [
    "Face",
    "add_a_passkey",
    "add_an_app",
    "address_link",
    "ask_address",
    "back",
    "confirm",
    "end_one",
    "end_others",
    "enter",
    "go",
    "new_codes",
    "overview",
    "place_of",
    "redirect_uri",
    "remove",
    "reset",
    "reset_link",
    "reset_new",
    "safe_address",
    "second_step",
    "tie",
]
