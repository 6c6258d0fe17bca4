"""REST: a tenant's webhook endpoints and deliveries; translates in, calls one service, translates out."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import CursorPage, WholePage, whole
from core.rest.views import TenantView, checked
from tenants.models import WebhookDelivery
from tenants.roles import Permission
from tenants.selectors import tenant_by_id
from tenants.webhooks.errors import DeliveryNotFound, EndpointNotFound
from tenants.webhooks.selectors import delivery_of, delivery_text, endpoint_of, endpoints_of
from tenants.webhooks.serializers import (
    CreatedEndpointSerializer,
    DeliveryQuery,
    DeliverySerializer,
    DeliveryTextSerializer,
    EndpointChangeSerializer,
    EndpointSerializer,
    NewEndpointSerializer,
    ResentSerializer,
    TestSentSerializer,
)
from tenants.webhooks.services import (
    add_endpoint,
    change_endpoint,
    disable_endpoint,
    enable_endpoint,
    remove_endpoint,
    resend_delivery,
    resend_failed,
    rotate_secret,
    send_test,
)

READ = Access("tenants.view_webhookdelivery", member=Permission.WEBHOOKS_MANAGE)
WRITE = Access("tenants.change_webhookdelivery", member=Permission.WEBHOOKS_MANAGE)
_TAGS = ["Webhooks"]


class _WebhookView(TenantView):
    endpoint_id = ""

    def check_path(self, **kwargs: Any) -> None:
        super().check_path(**kwargs)
        if self.caller.is_operator:
            tenant_by_id(self.tenant_id)  # that there is a schema to look into
        if "endpoint_id" in kwargs:
            try:
                self.endpoint_id = parse_prefixed("whe", kwargs["endpoint_id"])
            except InvalidInput as error:
                raise EndpointNotFound() from error

    def common(self) -> dict[str, Any]:
        """Whose endpoint, who acts and when."""
        ours = {"tenant_id": self.tenant_id, "acting": caller_actor(self.caller), "now": utc_now()}
        return {**ours, "endpoint_id": self.endpoint_id} if self.endpoint_id else ours


class EndpointList(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"GET": READ, "POST": WRITE}
    pagination_class = WholePage

    @extend_schema(operation_id="list_webhooks", responses=EndpointSerializer(many=True), tags=_TAGS)
    def get(self, request: Request, tenant_id: str) -> Response:
        """List a tenant's endpoints, oldest first."""
        return whole(list(EndpointSerializer(endpoints_of(self.tenant_id, now=utc_now()), many=True).data))

    @extend_schema(
        operation_id="create_webhook",
        request=NewEndpointSerializer,
        responses={201: CreatedEndpointSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Add an endpoint. The answer holds its signing secret, this once."""
        facts, secret = add_endpoint(**checked(NewEndpointSerializer, request), **self.common())
        return Response(CreatedEndpointSerializer({**asdict(facts), "secret": secret}).data, status=201)


class EndpointDetail(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}

    @extend_schema(operation_id="get_webhook", responses=EndpointSerializer, tags=_TAGS)
    def get(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Read one endpoint."""
        return Response(EndpointSerializer(endpoint_of(self.tenant_id, self.endpoint_id, now=utc_now())).data)

    @extend_schema(
        operation_id="change_webhook", request=EndpointChangeSerializer, responses=EndpointSerializer, tags=_TAGS
    )
    def put(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Change an endpoint; what is left out stays. Enabling it sends what was held."""
        given = checked(EndpointChangeSerializer, request)
        enabled = given.pop("enabled", None)
        facts = change_endpoint(**given, **self.common())
        if enabled is not None and enabled != facts.enabled:
            facts = enable_endpoint(**self.common()) if enabled else disable_endpoint(**self.common())
        return Response(EndpointSerializer(facts).data)

    @extend_schema(operation_id="delete_webhook", responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Remove an endpoint with what was still to be delivered to it."""
        remove_endpoint(**self.common())
        return Response(status=204)


class RotateSecret(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"POST": WRITE}

    @extend_schema(
        operation_id="rotate_webhook_secret", request=None, responses={200: CreatedEndpointSerializer}, tags=_TAGS
    )
    def post(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Make a new secret, shown this once. For 24 hours the old one signs too."""
        facts, secret = rotate_secret(**self.common())
        return Response(CreatedEndpointSerializer({**asdict(facts), "secret": secret}).data)


class SendTest(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"POST": WRITE}

    @extend_schema(operation_id="test_webhook", request=None, responses={202: TestSentSerializer}, tags=_TAGS)
    def post(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Send the event `webhook.test` to this endpoint."""
        return Response(TestSentSerializer({"message_id": send_test(**self.common())}).data, status=202)


class ResendFailed(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"POST": WRITE}

    @extend_schema(operation_id="resend_failed_webhooks", request=None, responses={202: ResentSerializer}, tags=_TAGS)
    def post(self, request: Request, tenant_id: str, endpoint_id: str) -> Response:
        """Send again whatever was given up for this endpoint."""
        return Response({"deliveries": resend_failed(**self.common())}, status=202)


class DeliveryList(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"GET": READ}
    pagination_class = CursorPage

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[DeliveryQuery],
        responses=DeliverySerializer(many=True),
        tags=_TAGS,
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List deliveries, newest first."""
        query = DeliveryQuery.of(request)
        rows = WebhookDelivery.objects.filter(tenant_id=self.tenant_id)
        rows = rows.filter(endpoint_id=query["endpoint"]) if "endpoint" in query else rows
        rows = rows.filter(state=query["state"]) if "state" in query else rows
        return self.page(rows, DeliverySerializer)


class DeliveryDetail(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"GET": READ}

    @extend_schema(operation_id="get_webhook_delivery", responses=DeliveryTextSerializer, tags=_TAGS)
    def get(self, request: Request, tenant_id: str, delivery_id: str) -> Response:
        """Read one delivery with its attempts. What it says is shown to the tenant's own people only."""
        delivery: Any = delivery_of(self.tenant_id, _bare(delivery_id))
        text = delivery_text(delivery)
        hidden = self.caller.is_operator
        delivery.payload = None if hidden else text.payload
        delivery.tries = [replace(each, answer="") if hidden else each for each in text.attempts]
        return Response(DeliveryTextSerializer(delivery).data)


class ResendDelivery(_WebhookView):
    access: ClassVar[dict[str, Access]] = {"POST": WRITE}

    @extend_schema(operation_id="resend_webhook_delivery", request=None, responses={202: None}, tags=_TAGS)
    def post(self, request: Request, tenant_id: str, delivery_id: str) -> Response:
        """Send a message again, under its old webhook-id."""
        resend_delivery(delivery_id=_bare(delivery_id), **self.common())
        return Response(status=202)


def _bare(delivery_id: str) -> str:
    try:
        return parse_prefixed("dlv", delivery_id)
    except InvalidInput as error:
        raise DeliveryNotFound() from error
