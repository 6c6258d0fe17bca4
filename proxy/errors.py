"""The gateway's errors, each knowing its place in OpenAI's envelope; owns statuses and codes, renders nothing.

LumosError
└── GatewayError                  500  type, param and whether a retry helps
    ├── RequestRefused            400  what was sent cannot be served; `param` names it
    │   ├── BodyTooLarge          413
    │   ├── BodyTooSlow           408
    │   ├── NotJson               415
    │   ├── NoSuchRoute           404
    │   ├── WrongMethod           405
    │   └── ModelNotFound         404
    ├── CredentialRefused         401  unknown, revoked and expired look alike
    ├── TooManyCredentials        400
    ├── TenantSuspended           403
    ├── AddressNotAllowed         403  not from there
    ├── ScopeMissing              403
    ├── ModelNotAllowed           403
    ├── LayerLimited              429  a rate; names the layer, tells when to return
    │   └── Overloaded            503  the global layer
    ├── QuotaSpent                429  a period's quota; retrying does not help
    ├── PriceUnknown              503  no price, no call
    ├── NotReady                  503  configuration or Redis is away, or this process drains
    ├── GatewaySealed             503  the master key is missing, so no provider's key opens
    ├── AccessWithdrawn           403  key revoked, tenant suspended or networks changed under an open stream
    ├── ClientGone                499  nobody is there to read; never sent
    └── ProviderFailure           502  the provider's fault
        ├── ProviderRefused       4xx  a refusal that the caller caused, passed on
        ├── ProviderLimited       429
        ├── ProviderUnavailable   503
        ├── ProviderMisconfigured 503  key, account or model: only the operator can mend it
        │   └── ProviderOutOfBounds   its address may not be called from here
        ├── ProviderTimeout       504
        ├── ProviderLost          502
        ├── ProviderMalformed     502
        └── ProviderAnswerTooLarge 502
"""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import LumosError


class GatewayError(LumosError):
    """Root: `kind` is OpenAI's error type; `retry` becomes x-should-retry when it is not None."""

    kind = "server_error"
    retry: bool | None = None
    param: str | None = None

    def __init__(
        self,
        message: str = "",
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str | None = None,
        status: int | None = None,
        retry_after_ms: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, headers=headers)
        self.param = param
        self.code = code or self.code
        self.kind = kind or self.kind
        self.status = status or self.status
        self.retry_after_ms = retry_after_ms


class RequestRefused(GatewayError):
    code = "invalid_request"
    kind = "invalid_request_error"
    status = 400
    title = "This request cannot be served"


class BodyTooLarge(RequestRefused):
    code = "request_too_large"
    status = 413
    title = "The request body is too large"


class TooManyStreams(RequestRefused):
    code = "too_many_streams"
    status = 429
    title = "This connection carries too many requests at once"


class BodyTooSlow(RequestRefused):
    code = "request_timeout"
    status = 408
    title = "The request body did not arrive in time"


class NotJson(RequestRefused):
    code = "unsupported_media_type"
    status = 415
    title = "Send the body as application/json"


class NoSuchRoute(RequestRefused):
    code = "unknown_url"
    status = 404
    title = "There is no such URL here"


class WrongMethod(RequestRefused):
    code = "method_not_allowed"
    status = 405
    title = "This URL does not take that method"


class ModelNotFound(RequestRefused):
    code = "model_not_found"
    status = 404
    title = "There is no such model"


class CredentialRefused(GatewayError):
    code = "invalid_api_key"
    kind = "invalid_request_error"
    status = 401
    title = "The API key is missing or not valid. Send it as 'Authorization: Bearer lum_…'"


class TooManyCredentials(RequestRefused):
    code = "ambiguous_credentials"
    title = "The request carries two different credentials; send one"


class TenantSuspended(GatewayError):
    code = "tenant_suspended"
    kind = "permission_error"
    status = 403
    title = "This account is suspended. Its administrator can find out why in the portal"


class AddressNotAllowed(GatewayError):
    code = "address_not_allowed"
    kind = "permission_error"
    status = 403
    retry = False
    title = "This API key may not be used from this address"


class ScopeMissing(GatewayError):
    code = "scope_missing"
    kind = "permission_error"
    status = 403
    title = "This API key may not use this endpoint"


class OriginRefused(GatewayError):
    code = "origin_refused"
    kind = "permission_error"
    status = 403
    title = "Pages of another site may not connect"


class ModelNotAllowed(GatewayError):
    code = "model_not_found"
    kind = "invalid_request_error"
    status = 403
    param = "model"
    title = "This API key may not use this model"


class LayerLimited(GatewayError):
    code = "rate_limit_exceeded"
    kind = "requests"
    status = 429
    retry = True
    title = "A rate limit is reached"


class Overloaded(LayerLimited):
    code = "server_is_overloaded"
    kind = "server_error"
    status = 503
    title = "The gateway takes no more requests at the moment"


class QuotaSpent(GatewayError):
    code = "insufficient_quota"
    kind = "insufficient_quota"
    status = 429
    retry = False
    title = "A quota of this period is spent"


class PriceUnknown(GatewayError):
    code = "price_unknown"
    status = 503
    retry = False
    title = "This model has no price in the plan, so it is not served"


class NotReady(GatewayError):
    code = "server_not_ready"
    status = 503
    retry = True
    title = "The gateway cannot decide about requests at the moment"


class GatewaySealed(GatewayError):
    code = "sealed"
    status = 503
    retry = True
    title = "This installation is sealed: its operator has to put the master key back"


class AccessWithdrawn(GatewayError):
    code = "access_withdrawn"
    kind = "permission_error"
    status = 403
    retry = False
    title = "The API key was revoked, the account suspended or its networks changed while the answer was on its way"


class ClientGone(GatewayError):
    code = "client_closed_request"
    status = 499
    title = "The client left"


class ProviderFailure(GatewayError):
    code = "provider_error"
    status = 502
    retry = True
    title = "The provider of this model failed"


class ProviderRefused(ProviderFailure):
    code = "invalid_request"
    kind = "invalid_request_error"
    status = 400
    retry = False
    title = "The provider of this model refused the request"


class ProviderLimited(ProviderFailure):
    code = "rate_limit_exceeded"
    kind = "requests"
    status = 429
    title = "The provider of this model takes no more requests at the moment"


class ProviderUnavailable(ProviderFailure):
    code = "provider_unavailable"
    status = 503
    title = "The provider of this model is not available"


class ProviderMisconfigured(ProviderUnavailable):
    code = "provider_refused_credentials"
    retry = False
    title = "The provider of this model is not set up to serve it; only the operator can mend that"


class ProviderOutOfBounds(ProviderMisconfigured):
    code = "provider_address_refused"
    title = "The address of this model's provider may not be called; only the operator can mend that"


class ProviderTimeout(ProviderFailure):
    code = "provider_timeout"
    status = 504
    title = "The provider of this model did not answer in time"


class ProviderLost(ProviderFailure):
    code = "provider_connection_lost"
    title = "The connection to the provider of this model was lost"


class ProviderMalformed(ProviderFailure):
    code = "provider_malformed"
    title = "The provider of this model sent something that cannot be read"


class ProviderAnswerTooLarge(ProviderMalformed):
    code = "provider_answer_too_large"
    title = "The provider of this model sent more than can be taken"
