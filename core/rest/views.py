"""Base of every REST view: who calls, what they may, in which scope it runs, and what surrounds the answer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from core.errors import InvalidInput, NotFound
from core.ids import parse_prefixed
from core.request_id import current_request_id
from core.rest.access import Access
from core.rest.idempotency import Claim, Replayed, claim
from core.rest.pages import CursorPage
from core.rest.principal import Principal, principal_of
from core.rest.throttle import Standing, count_request
from core.tenancy import TenantRef, tenant_scope


class ApiView(APIView):
    """A view declares `access` (a row per method) and, for lists, `pagination_class`. A tenant's key runs in its scope.

    `caller` is set before the handler runs.
    """

    access: ClassVar[dict[str, Access]] = {}
    pagination_class: type[BasePagination] | None = None
    caller: Principal
    request_id = ""
    _claim: Claim | None = None
    _standing: Standing | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.request_id = current_request_id()
        with ExitStack() as self._scopes:
            response = super().dispatch(request, *args, **kwargs)
        self._remember(response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.caller = principal_of(request)
        self._standing = count_request(self.caller)
        self.check_path(**kwargs)
        self._claim = claim(request, self.caller)
        if self.caller.tenant is not None:
            self._scopes.enter_context(tenant_scope(self.caller.tenant))

    @property
    def tenant(self) -> TenantRef:
        """Whose key or member calls; raises NotFound for operators, who have none."""
        if self.caller.tenant is None:
            raise NotFound()
        return self.caller.tenant

    def check_path(self, **kwargs: Any) -> None:
        """Refuse what the path names and the caller may not see."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Replayed):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        for name, value in self._standing.headers.items() if self._standing else ():
            answer[name] = value
        return answer

    def _remember(self, response: Any) -> None:
        if self._claim is not None:
            self._claim.finish(response)

    def page(self, rows: Any, serializer: type[BaseSerializer[Any]]) -> Response:
        """One page of the rows through the serializer; evaluated here, inside the scope."""
        paginator = (self.pagination_class or CursorPage)()
        part: list[Any] | None = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(serializer(part, many=True).data)


class TenantView(ApiView):
    """A view under /tenants/{tenant_id}/: `tenant_id` is the bare id, of a tenant that the caller may know of."""

    tenant_id: str

    def check_path(self, **kwargs: Any) -> None:
        try:
            self.tenant_id = parse_prefixed("ten", kwargs["tenant_id"])
        except InvalidInput as error:
            raise NotFound() from error
        if not self.caller.may_see(self.tenant_id):
            raise NotFound()


def checked(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The body as the serializer validated it; raises ValidationError."""
    bound = serializer(data=request.data)
    bound.is_valid(raise_exception=True)
    return dict(bound.validated_data)


class OpenView(APIView):
    """A view for whoever is not known yet, and may become so by what the body holds; it counts attempts itself."""

    authentication_classes = ()
    permission_classes = ()
    request_id = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.request_id = current_request_id()
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer


class NoSuchRoute(OpenView):
    """Whatever else is asked under /api/v1/: a problem document instead of a page."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.request_id = current_request_id()
        raise NotFound("There is no such route.", next_step="See /api/docs/ for all of them.")
