"""REST: capacity pools, the waiting list, and what each tenant holds; translates in, one service, translates out."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import CursorPage, WholePage, whole
from core.rest.views import ApiView, TenantView, checked
from tenants.allocation.allocator import allocate, explain, release, resize
from tenants.allocation.data import ResourceKind
from tenants.allocation.errors import AllocationNotFound, PoolNotFound
from tenants.allocation.hosts import reserve_host
from tenants.allocation.pools import add_pool, change_pool, remove_pool
from tenants.allocation.selectors import all_pools, facts_of, own_allocations, pool_by_id, waiting_list
from tenants.allocation.serializers import (
    AllocationSerializer,
    AnyAllocationSerializer,
    NewAllocationSerializer,
    NewPoolSerializer,
    OwnAllocationSerializer,
    PoolChangeSerializer,
    PoolSerializer,
    RegionQuery,
    RegionSerializer,
    ReservationSerializer,
    ResizeSerializer,
    RetriedSerializer,
)
from tenants.allocation.waiting import move_up, retry_waiting
from tenants.data import Scope
from tenants.models import Allocation
from tenants.roles import Permission

POOLS, LIST = ["Capacity"], ["Allocations"]
_READ = Access("tenants.view_allocation", Scope.USAGE_READ, Permission.USAGE_VIEW)


class PoolList(ApiView):
    access = {"GET": Access("tenants.view_capacitypool"), "POST": Access("tenants.add_capacitypool")}
    pagination_class = WholePage

    @extend_schema(operation_id="list_pools", responses=PoolSerializer(many=True), tags=POOLS)
    def get(self, request: Request) -> Response:
        """List the capacity pools, by region and host."""
        return whole([dict(PoolSerializer(pool).data) for pool in all_pools()])

    @extend_schema(operation_id="add_pool", request=NewPoolSerializer, responses={201: PoolSerializer}, tags=POOLS)
    def post(self, request: Request) -> Response:
        """Give out of so much more; who waits for it gets it at once."""
        given = checked(NewPoolSerializer, request)
        given["kind"] = ResourceKind(given["kind"])
        pool = add_pool(**given, acting=caller_actor(self.caller), now=utc_now())
        return Response(PoolSerializer(pool_by_id(pool.pk)).data, status=201)


class PoolDetail(ApiView):
    access = {
        "GET": Access("tenants.view_capacitypool"),
        "PUT": Access("tenants.change_capacitypool"),
        "DELETE": Access("tenants.delete_capacitypool"),
    }

    @extend_schema(operation_id="get_pool", responses=PoolSerializer, tags=POOLS)
    def get(self, request: Request, pool_id: str) -> Response:
        """Read one capacity pool."""
        return Response(PoolSerializer(pool_by_id(_pool(pool_id))).data)

    @extend_schema(operation_id="change_pool", request=PoolChangeSerializer, responses=PoolSerializer, tags=POOLS)
    def put(self, request: Request, pool_id: str) -> Response:
        """Change a pool's size or close it to new allocations; never below what is given out of it."""
        given = checked(PoolChangeSerializer, request)
        pool = change_pool(pool_id=_pool(pool_id), **given, acting=caller_actor(self.caller), now=utc_now())
        return Response(PoolSerializer(pool_by_id(pool.pk)).data)

    @extend_schema(operation_id="remove_pool", responses={204: None}, tags=POOLS)
    def delete(self, request: Request, pool_id: str) -> Response:
        """Remove a pool of which nothing is given out."""
        remove_pool(pool_id=_pool(pool_id), acting=caller_actor(self.caller), now=utc_now())
        return Response(status=204)


class PoolReservation(ApiView):
    access = {"PUT": Access("tenants.change_capacitypool")}

    @extend_schema(operation_id="reserve_host", request=ReservationSerializer, responses=PoolSerializer, tags=POOLS)
    def put(self, request: Request, pool_id: str) -> Response:
        """Reserve the pool's whole host for one tenant, or for nobody."""
        pool, given = pool_by_id(_pool(pool_id)), checked(ReservationSerializer, request)
        reserve_host(
            region=pool.region,
            name=pool.name,
            tenant_id=given["tenant_id"],
            acting=caller_actor(self.caller),
            now=utc_now(),
        )
        return Response(PoolSerializer(pool_by_id(pool.id)).data)


class QueuePage(CursorPage):
    """In the order in which it is their turn."""

    ordering = ("region", "-priority", "waiting_since", "id")


class WaitingList(ApiView):
    access = {"GET": Access("tenants.view_allocation")}
    pagination_class = QueuePage

    @extend_schema(
        operation_id="list_waiting", parameters=[RegionQuery], responses=AllocationSerializer(many=True), tags=POOLS
    )
    def get(self, request: Request) -> Response:
        """List who waits for resources, in the order in which it is their turn, each with the reason."""
        return self.page(waiting_list(RegionQuery.of(request).get("region", "")), _Explained)


class _Explained(AllocationSerializer):
    """A row of the table, through its facts."""

    def to_representation(self, instance: Any) -> Any:
        [facts] = facts_of([instance])
        return super().to_representation(facts)


class RetryWaiting(ApiView):
    access = {"POST": Access("tenants.change_allocation")}

    @extend_schema(
        operation_id="retry_waiting", request=RegionSerializer, responses={200: RetriedSerializer}, tags=POOLS
    )
    def post(self, request: Request) -> Response:
        """Look at a region's waiting list again."""
        region = checked(RegionSerializer, request)["region"]
        placed = retry_waiting(region=region, acting=caller_actor(self.caller), now=utc_now())
        return Response({"placed": placed})


class AllocationList(TenantView):
    access = {"GET": _READ, "POST": Access("tenants.add_allocation")}
    pagination_class = WholePage

    @extend_schema(operation_id="list_allocations", responses=AnyAllocationSerializer(many=True), tags=LIST)
    def get(self, request: Request, tenant_id: str) -> Response:
        """List what a tenant holds and waits for. Operators also see from which pools, and why."""
        if not self.caller.is_operator:
            return whole([dict(OwnAllocationSerializer(row).data) for row in own_allocations(self.tenant_id)])
        rows = Allocation.objects.filter(tenant_id=self.tenant_id, released_at=None).order_by("id")
        return whole([dict(AllocationSerializer(facts).data) for facts in facts_of(rows)])

    @extend_schema(
        operation_id="allocate_resources",
        request=NewAllocationSerializer,
        responses={201: AllocationSerializer},
        tags=LIST,
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Give a tenant all of the amounts, or put it into the waiting list."""
        given = checked(NewAllocationSerializer, request)
        row = allocate(tenant_id=self.tenant_id, **given, acting=caller_actor(self.caller), now=utc_now())
        return Response(_shown(row), status=201)


class AllocationDetail(TenantView):
    access = {
        "GET": Access("tenants.view_allocation"),
        "PUT": Access("tenants.change_allocation"),
        "DELETE": Access("tenants.change_allocation"),
    }

    @extend_schema(operation_id="explain_allocation", responses=AllocationSerializer, tags=LIST)
    def get(self, request: Request, tenant_id: str, allocation_id: str) -> Response:
        """Read one allocation: its pools and why those, or why it waits and behind how many."""
        facts = explain(tenant_id=self.tenant_id, allocation_id=_allocation(allocation_id))
        return Response(AllocationSerializer(facts).data)

    @extend_schema(
        operation_id="resize_allocation", request=ResizeSerializer, responses=AllocationSerializer, tags=LIST
    )
    def put(self, request: Request, tenant_id: str, allocation_id: str) -> Response:
        """Change the amounts: what is less is given back at once, what is more may wait, all of it or none."""
        row = resize(
            tenant_id=self.tenant_id,
            allocation_id=_allocation(allocation_id),
            amounts=checked(ResizeSerializer, request)["amounts"],
            acting=caller_actor(self.caller),
            now=utc_now(),
        )
        return Response(_shown(row))

    @extend_schema(operation_id="release_allocation", responses={204: None}, tags=LIST)
    def delete(self, request: Request, tenant_id: str, allocation_id: str) -> Response:
        """Give everything back, and to those who wait."""
        bare = _allocation(allocation_id)
        release(tenant_id=self.tenant_id, allocation_id=bare, acting=caller_actor(self.caller), now=utc_now())
        return Response(status=204)


class MoveUp(TenantView):
    access = {"POST": Access("tenants.change_allocation")}

    @extend_schema(operation_id="move_up_allocation", request=None, responses={200: AllocationSerializer}, tags=LIST)
    def post(self, request: Request, tenant_id: str, allocation_id: str) -> Response:
        """Put one that waits in front of all others of its region."""
        bare = _allocation(allocation_id)
        row = move_up(tenant_id=self.tenant_id, allocation_id=bare, acting=caller_actor(self.caller), now=utc_now())
        return Response(_shown(row))


def _shown(row: Allocation) -> dict[str, Any]:
    return dict(AllocationSerializer(facts_of([row])[0]).data)


def _pool(text: str) -> str:
    try:
        return parse_prefixed("pool", text)
    except InvalidInput as error:
        raise PoolNotFound() from error


def _allocation(text: str) -> str:
    try:
        return parse_prefixed("alloc", text)
    except InvalidInput as error:
        raise AllocationNotFound() from error
