"""Calls to addresses that people entered; the only door for them, and it refuses to lead into private networks."""

from core.http.addresses import Address, Network, Refusal, carried, refusal_of
from core.http.client import Answer, Limits, SafeClient
from core.http.errors import AnswerTooLarge, OutboundFailed, OutboundTimeout, UrlRefused
from core.http.policy import PrivateNetworks, UrlPolicy, operator_policy, parse_private_networks, tenant_policy
from core.http.resolve import Resolver, addresses_in, ask_system, check_url, judge
from core.http.urls import Place, numeric, parse_url

__all__ = [
    "Address",
    "Answer",
    "AnswerTooLarge",
    "Limits",
    "Network",
    "OutboundFailed",
    "OutboundTimeout",
    "Place",
    "PrivateNetworks",
    "Refusal",
    "Resolver",
    "SafeClient",
    "UrlPolicy",
    "UrlRefused",
    "addresses_in",
    "ask_system",
    "carried",
    "check_url",
    "judge",
    "numeric",
    "operator_policy",
    "parse_private_networks",
    "parse_url",
    "refusal_of",
    "tenant_policy",
]
