"""REST: the audit log, its chains and their signed heads; tenants read their own, operators all."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.acting import caller_actor
from audit.chain.export import export_part
from audit.chain.links import PLATFORM
from audit.chain.sealing import adopt_chain, seal_waiting
from audit.chain.signing import public_keys
from audit.chain.verification import check_chain
from audit.models import AuditEntry, AuditLink, ChainHead, WaitingEntry
from audit.selectors import aimed_at, entries_with_names
from audit.serializers import (
    AdoptionSerializer,
    ChainSerializer,
    EntryQuery,
    EntrySerializer,
    ExportQuery,
    KeySerializer,
    ReportSerializer,
)
from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import CursorPage, WholePage, whole
from core.rest.queries import NoQuery
from core.rest.views import ApiView, TenantView, checked

SCOPE, MEMBER = "audit:read", "audit.view"  # as `tenants` spells them
LINES = "application/x-ndjson"
CHAIN = OpenApiParameter("chain", str, OpenApiParameter.PATH, description="`platform`, or a tenant's id `ten_…`")
_EXPORTED = {(200, LINES): OpenApiTypes.STR}


def entries(**filters: Any) -> QuerySet[AuditEntry]:
    """Rows with their links, filtered as EntryQuery says."""
    spelled = {"since": "at__gte", "until": "at__lt"}
    link = AuditLink.objects.filter(entry_id=OuterRef("pk"))
    given = {spelled.get(name, name): value for name, value in filters.items() if name != "target"}
    rows = entries_with_names().filter(**given)
    rows = rows.filter(aimed_at(filters["target"])) if "target" in filters else rows
    return rows.annotate(sequence=Subquery(link.values("sequence")), hash=Subquery(link.values("hash")))


def heads() -> QuerySet[ChainHead]:
    tail = WaitingEntry.objects.filter(chain=OuterRef("pk")).order_by().values("chain").annotate(n=Count("pk"))
    return ChainHead.objects.annotate(waiting=Coalesce(Subquery(tail.values("n")), 0))


def head_of(chain: str) -> ChainHead:
    """Raises NotFound while nothing of that chain is sealed."""
    head = heads().filter(pk=chain).first()
    if head is None:
        raise NotFound("There is no such chain yet.")
    return head


def bare(chain: str) -> str:
    """`platform` or the id inside `ten_…`; raises NotFound."""
    try:
        return chain if chain == PLATFORM else parse_prefixed("ten", chain)
    except InvalidInput as error:
        raise NotFound() from error


def exported(lines: list[str]) -> HttpResponse:
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type=LINES)


class EntryPage(CursorPage):
    ordering = ("-at", "-id")


class EntryList(ApiView):
    access = {"GET": Access("audit.view_auditentry")}
    pagination_class = EntryPage

    @extend_schema(
        operation_id="list_audit_entries", parameters=[EntryQuery], responses=EntrySerializer(many=True), tags=["Audit"]
    )
    def get(self, request: Request) -> Response:
        """List what was done on the whole platform, newest first."""
        return self.page(entries(**EntryQuery.of(request)), EntrySerializer)


class ChainPage(CursorPage):
    ordering = ("chain",)


class ChainList(ApiView):
    access = {"GET": Access("audit.view_chainhead")}
    pagination_class = ChainPage

    @extend_schema(operation_id="list_audit_chains", responses=ChainSerializer(many=True), tags=["Audit"])
    def get(self, request: Request) -> Response:
        """List the hash chains with their signed heads."""
        NoQuery.of(request)
        return self.page(heads(), ChainSerializer)


class ChainDetail(ApiView):
    access = {"GET": Access("audit.view_chainhead")}

    @extend_schema(operation_id="get_audit_chain", parameters=[CHAIN], responses=ChainSerializer, tags=["Audit"])
    def get(self, request: Request, chain: str) -> Response:
        """Read one chain's signed head."""
        return Response(ChainSerializer(head_of(bare(chain))).data)


class CheckChain(ApiView):
    access = {"POST": Access("audit.view_chainhead")}

    @extend_schema(
        operation_id="check_audit_chain",
        parameters=[CHAIN],
        request=None,
        responses={200: ReportSerializer},
        tags=["Audit"],
    )
    def post(self, request: Request, chain: str) -> Response:
        """Read the whole chain and name its first bad link, if there is one."""
        report = check_chain(chain=bare(chain), acting=caller_actor(self.caller), now=utc_now())
        return Response(ReportSerializer(report).data)


class AdoptChain(ApiView):
    access = {"POST": Access("audit.change_chainhead")}

    @extend_schema(
        operation_id="adopt_audit_chain",
        parameters=[CHAIN],
        request=AdoptionSerializer,
        responses={200: ChainSerializer},
        tags=["Audit"],
    )
    def post(self, request: Request, chain: str) -> Response:
        """Vouch for a frozen chain as it stands: its head is signed anew."""
        reason = checked(AdoptionSerializer, request)["reason"]
        adopt_chain(chain=bare(chain), reason=reason, acting=caller_actor(self.caller), now=utc_now())
        return Response(ChainSerializer(head_of(bare(chain))).data)


class ExportChain(ApiView):
    access = {"GET": Access("audit.view_chainhead")}

    @extend_schema(
        operation_id="export_audit_chain", parameters=[CHAIN, ExportQuery], responses=_EXPORTED, tags=["Audit"]
    )
    def get(self, request: Request, chain: str) -> HttpResponse:
        """Export a chain as JSON lines, the signed head last; a last line of type `more` says where to go on."""
        after = ExportQuery.of(request)["after"]
        seal_waiting(now=utc_now())
        return exported(export_part(bare(chain), after=after, acting=caller_actor(self.caller)))


class KeyList(ApiView):
    access = {"GET": Access("audit.view_chainhead", SCOPE, MEMBER)}
    pagination_class = WholePage

    @extend_schema(operation_id="list_audit_keys", responses=KeySerializer(many=True), tags=["Audit"])
    def get(self, request: Request) -> Response:
        """List the public keys that heads are signed with."""
        NoQuery.of(request)
        return whole([{"key_id": key_id, "public_key": public} for key_id, public in public_keys().items()])


class TenantEntries(TenantView):
    access = {"GET": Access("audit.view_auditentry", SCOPE, MEMBER)}
    pagination_class = EntryPage

    @extend_schema(
        operation_id="list_tenant_audit_entries",
        parameters=[EntryQuery],
        responses=EntrySerializer(many=True),
        tags=["Audit"],
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List what was done to and in a tenant, newest first."""
        return self.page(entries(tenant_id=self.tenant_id, **EntryQuery.of(request)), EntrySerializer)


class TenantChain(TenantView):
    access = {"GET": Access("audit.view_chainhead", SCOPE, MEMBER)}

    @extend_schema(operation_id="get_tenant_audit_chain", responses=ChainSerializer, tags=["Audit"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read the signed head of a tenant's chain: keep it, and nobody can shorten or rewrite the log unnoticed."""
        return Response(ChainSerializer(head_of(self.tenant_id)).data)


class TenantExport(TenantView):
    access = {"GET": Access("audit.view_chainhead", SCOPE, MEMBER)}

    @extend_schema(
        operation_id="export_tenant_audit_chain", parameters=[ExportQuery], responses=_EXPORTED, tags=["Audit"]
    )
    def get(self, request: Request, tenant_id: str) -> HttpResponse:
        """Export a tenant's chain as JSON lines, the signed head last; a line of type `more` says where to go on."""
        after = ExportQuery.of(request)["after"]
        return exported(export_part(self.tenant_id, after=after, acting=caller_actor(self.caller)))
