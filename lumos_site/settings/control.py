"""The web role: operators' admin, tenants' portal, REST, and the gateway beside them behind one port."""

from __future__ import annotations

from typing import Any

from csp.constants import NONCE, NONE, SELF

from lumos_site.settings.admin import UNFOLD as UNFOLD
from lumos_site.settings.base import *
from lumos_site.settings.base import BASE_DIR, BASE_DOMAIN, DATABASES, DEBUG, TRUSTED_PROXIES
from lumos_site.settings.env import env_bool, env_int

# Pooled where ASGI serves each request on a thread that Django makes anew; never in commands and workers, whose forks
# it breaks. The backend asks for the role, because one set of settings is imported once and then serves several.
DATABASE_POOLED_ROLES = ("web", "control")
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1,
    "max_size": env_int("LUMOS_DB_POOL", 12),
    "timeout": 5,
    "max_lifetime": 900,
    # A failed attempt is repeated after 1 s, 2 s, 4 s …, and holds up those who wait. Given up soon, the next
    # request makes a fresh one at once, so that pages are back when the database is.
    "reconnect_timeout": 4,
}

MIDDLEWARE = [
    "lumos_site.middleware.RequestIdMiddleware",
    "lumos_site.middleware.StorableTextMiddleware",
    "tenants.middleware.HostMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.middleware.OpenedHereMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "lumos_site.middleware.AdminPolicyMiddleware",
    "tenants.visitors.VisitMiddleware",
    "tenants.middleware.MembershipMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ]
        },
    }
]
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # read by lumos_site.statics, in front of Django
WHITENOISE_AUTOREFRESH = DEBUG

# OWASP's choice where Argon2 is not at hand, in a third of PBKDF2's time; older hashes are renewed by a sign-in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["lumos_site.access.backend.RoleBackend"]
# The sign-in library keeps factors and sessions; its pages, letters and limits are not used, ours are.
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
MFA_ADAPTER = "accounts.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Lumos"
MFA_TOTP_TOLERANCE = 1  # steps of half a minute that a phone's clock may be off
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_NAME = "lumos_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_bool("LUMOS_HTTPS", BASE_DOMAIN != "localhost")
CSRF_COOKIE_NAME = "lumos_csrf"
# A proxy of ours that ends TLS says so here; without it a form sent from an https page is refused as another site's.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "lumos_site.openapi.ApiSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.rest.parsers.PlainJson"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.authentication.BearerAuthentication",
        "tenants.authentication.OperatorSession",
        "tenants.authentication.MemberSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["core.rest.access.DeclaredAccess"],
    "EXCEPTION_HANDLER": "core.rest.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_REQUESTS_PER_MINUTE = env_int("LUMOS_REST_REQUESTS_PER_MINUTE", 600)
SPECTACULAR_SETTINGS = {
    "TITLE": "Lumos control API",
    "DESCRIPTION": "Tenants, keys, limits, usage and bills. Errors are RFC 9457 problem documents.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "AllocationStateEnum": "tenants.allocation.data.AllocationState",
        "DeliveryStateEnum": "tenants.webhooks.data.DeliveryState",
        "FaultKindEnum": "audit.data.FaultKind",
        "LimitSourceEnum": "quotas.data.LimitSource",
        "LineKindEnum": "billing.data.LineKind",
        "ProfileFieldEnum": "tenants.data.ProfileField",
        "ProviderKindEnum": "proxy.data.ProviderKind",
        "ResourceKindEnum": "tenants.allocation.data.ResourceKind",
        "TenantTypeEnum": "tenants.data.TenantType",
        "ValueSourceEnum": "tenants.data.ValueSource",
    },
}
