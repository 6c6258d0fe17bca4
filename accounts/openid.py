"""OpenID Connect as a tenant's provider speaks it (Core 1.0, Discovery 1.0, RFC 7636 and 9207): no table, no session.

Every call goes through the door that refuses private addresses, whatever the provider's own documents name. A provider
is believed about itself only: its documents must name the issuer that was entered, and its tokens are accepted when
they are signed by its published keys, with an asymmetric algorithm, for our client and for the question that we asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt

from accounts.errors import ProviderFailed, SignInRefused
from core.errors import LumosError
from core.http import Answer, SafeClient, parse_url
from core.text import is_storable, storable

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_SKEW = 60  # seconds that clocks may differ
_LONGEST_SUBJECT = 255  # as the standard has it
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Client:
    """We, as the provider knows us."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Question:
    """What makes one sign-in its own: `state` for the way back, `nonce` for the token, `verifier` for the code."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a provider says of somebody. Only `subject` is who they are; the rest is for people to read."""

    subject: str
    email: str = ""
    name: str = ""
    email_denied: bool = False  # the provider says itself that it did not check the address


def discover(http: SafeClient, issuer: str) -> Mapping[str, str]:
    """The provider's document of itself. Raises ProviderFailed when it is none or speaks of another issuer."""
    found = _json(_ask(lambda: http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")))
    if found.get("issuer") != issuer:
        raise ProviderFailed("The provider calls itself by another issuer than the one that was entered")
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not all(_is_secure(str(found.get(name, ""))) for name in needed):
        raise ProviderFailed("The provider does not name its addresses, or not all with https")
    return {name: str(found[name]) for name in needed}


def _is_secure(address: str) -> bool:
    try:
        return parse_url(address).secure
    except ValueError:
        return False


def address_to_ask(document: Mapping[str, str], client: Client, question: Question) -> str:
    """Where to send the browser."""
    digest = hashlib.sha256(question.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": "openid email profile",
        "state": question.state,
        "nonce": question.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = document["authorization_endpoint"]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def redeem(http: SafeClient, document: Mapping[str, str], client: Client, question: Question, code: str) -> str:
    """The token for the code that the browser brought back, believed in nothing yet. Raises ProviderFailed."""
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "client_id": client.client_id,
        "client_secret": client.secret,
        "code_verifier": question.verifier,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    content = urlencode(body).encode()
    token = _json(_ask(lambda: http.post(document["token_endpoint"], content=content, headers=headers))).get("id_token")
    if not isinstance(token, str):
        raise ProviderFailed("The provider gave no token that says who it is")
    return token


def fetch_keys(http: SafeClient, document: Mapping[str, str]) -> Mapping[str, Any]:
    """The keys that the provider publishes. Raises ProviderFailed."""
    return _json(_ask(lambda: http.get(document["jwks_uri"])))


def is_of_known_key(token: str, keys: Mapping[str, Any]) -> bool:
    """Whether one of these keys fits the token; when none does, the provider may have changed them."""
    try:
        _key(token, keys)
    except _UNREADABLE:
        return False
    return True


def claims_in(token: str, keys: Mapping[str, Any], client: Client, nonce: str) -> Claims:
    """The claims of a token that is the provider's, for us, and for this question. Raises SignInRefused."""
    try:
        key = _key(token, keys)
        said: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=client.client_id,
            issuer=client.issuer,
            leeway=_SKEW,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
    except _UNREADABLE as error:
        raise SignInRefused() from error
    audience, party = said["aud"], said.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, client.client_id):
        raise SignInRefused()
    if not hmac.compare_digest(storable(str(said.get("nonce", ""))).encode(), nonce.encode()):
        raise SignInRefused()
    subject = said["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST_SUBJECT or not is_storable(subject):
        raise SignInRefused()
    denied = str(said.get("email_verified", True)).lower() != "true"
    return Claims(subject, _text(said, "email"), _text(said, "name"), denied)


def _key(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    """The published key that the token names, by an algorithm that suits the key; never one that the token invents."""
    head = jwt.get_unverified_header(token)
    algorithm = head.get("alg")
    if algorithm not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError(algorithm)
    published = [key for key in keys.get("keys", ()) if isinstance(key, dict) and key.get("use", "sig") == "sig"]
    named = [key for key in published if "kid" not in head or key.get("kid") == head["kid"]]
    fitting = [key for key in named if key.get("alg", algorithm) == algorithm and key.get("kty") != "oct"]
    if len(fitting) != 1:
        raise jwt.InvalidKeyError("no key, or more than one, fits the token")
    return jwt.PyJWK(fitting[0], algorithm)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return storable(value)[:150] if isinstance(value, str) else ""


def _ask(call: Any) -> Answer:
    try:
        answer: Answer = call()
    except LumosError as error:
        raise ProviderFailed(error.message) from error
    if answer.status != 200:
        raise ProviderFailed(f"The provider answered with status {answer.status}")
    return answer


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderFailed("The provider's answer is not JSON") from error
    if not isinstance(found, dict):
        raise ProviderFailed("The provider's answer is not an object")
    return found
