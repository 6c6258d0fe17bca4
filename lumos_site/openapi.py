"""How the REST API is described in OpenAPI: security, errors and headers that every view shares; no route."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from core.rest.access import Access
from core.rest.problems import MEDIA_TYPE, ProblemSerializer

_ALWAYS = ("401", "403", "429", "503")
_MEANING = {
    "400": "The input is not valid; `errors` points to what is wrong.",
    "401": "No caller is known, or the credential is not valid here.",
    "403": "The caller is known and may not do this.",
    "404": "There is no such thing, or the caller may not know of it.",
    "409": "This conflicts with what is there, or the first request with this Idempotency-Key is still running.",
    "422": "This Idempotency-Key was used with another request.",
    "429": "The caller's requests of this minute are spent; see Retry-After.",
    "503": "A part that this needs is away.",
}
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Send the same key again to get the same answer instead of a second effect; kept for 24 hours.",
)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        description = (
            "An operator's token `lum_oper_…`, a tenant's key `lum_live_…`, `lum_test_…` with scopes, or a member's "
            "access token, a JWT of five minutes from `/api/v1/auth/tokens`."
        )
        return {"type": "http", "scheme": "bearer", "description": description}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.authentication.OperatorSession"
    name = "operatorSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        description = "The session of a signed-in operator; writes need the X-CSRFToken header."
        return {"type": "apiKey", "in": "cookie", "name": "lumos_session", "description": description}


class MemberScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.authentication.MemberSession"
    name = "memberSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        description = "The portal session of a member, on the tenant's host; writes need the X-CSRFToken header."
        return {"type": "apiKey", "in": "cookie", "name": "lumos_session", "description": description}


class ApiSchema(AutoSchema):
    """Adds to each operation who may call it, the problem documents it answers with, and Idempotency-Key on POST."""

    @property
    def _rule(self) -> Access | None:
        table: dict[str, Access] = getattr(self.view, "access", {})
        return table.get(self.method)

    def get_override_parameters(self) -> list[Any]:
        given: list[Any] = super().get_override_parameters()
        return [*given, IDEMPOTENCY] if self.method == "POST" and self._rule else given

    def get_description(self) -> str:  # type: ignore[override]
        text: str = super().get_description() or ""
        return f"{text}\n\n{_who(self._rule)}".strip()

    def get_auth(self) -> list[dict[str, Any]]:
        given: list[dict[str, Any]] = super().get_auth()
        return [scheme for scheme in given if scheme]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        answers: dict[str, Any] = super()._get_response_bodies(direction)
        for code in self._problem_codes():
            answers[code] = self._problem(code, direction)
        return dict(sorted(answers.items()))

    def _problem(self, code: str, direction: str) -> dict[str, Any]:
        body: dict[str, Any] = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ProblemSerializer, code, [MEDIA_TYPE], direction
        )
        return {**body, "description": _MEANING[code]}

    def _problem_codes(self) -> list[str]:
        codes = [*_ALWAYS]
        if self.method != "GET" or self._is_list_view() or self.get_override_parameters():
            codes.append("400")
        if "{" in self.path:
            codes.append("404")
        if self.method in ("POST", "PUT"):
            codes.append("409")
        if self.method == "POST":
            codes.append("422")
        return codes


def _who(rule: Access | None) -> str:
    if rule is None:
        return "Open to everybody: the body holds what proves who calls. Operators have tokens of their own."
    if rule.permission is None:
        return f"Members with `{rule.member}`; no operators."
    operators = f"Operators with `{rule.permission}`" if rule.permission else "Operators"
    others = [f"tenants' keys with the scope `{rule.scope}`"] if rule.scope else []
    others += [f"members with `{rule.member}`"] if rule.member else []
    return f"{'; '.join([operators, *others])}." if others else f"{operators} only."
