"""Who acts, from what the interface layers know: an operator's account, or a caller of the REST API."""

from __future__ import annotations

from typing import Protocol

from audit.data import Actor


class Account(Protocol):
    @property
    def pk(self) -> object: ...

    def get_username(self) -> str: ...


class Caller(Protocol):
    """What `core.rest.principal.Principal` has."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...


def operator_actor(account: Account) -> Actor:
    """The account as an operator; for the operators' admin only."""
    return Actor("operator", str(account.pk), account.get_username())


def caller_actor(caller: Caller) -> Actor:
    """An operator who acts for a member stays an operator in the log; the label names both."""
    acts_for = caller.kind == "impersonator"
    return Actor("operator" if acts_for else caller.kind, caller.id, caller.label, acts_for=acts_for)
