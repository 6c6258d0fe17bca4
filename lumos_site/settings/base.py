"""What every role shares: apps, database behind the fence, cache, channels. Owns no role's extras."""

from __future__ import annotations

import os
from typing import Any

from core.conf import ROOT, secrets, var_dir
from core.redis import connect_seconds, connection_options, namespace, redis_url
from lumos_site.embedded.binaries import embedded_tools
from lumos_site.settings.env import (
    database_from_url,
    env_bool,
    env_int,
    env_list,
    env_months,
    env_networks,
    env_private_networks,
    env_token,
    smtp_from_url,
)

BASE_DIR = ROOT
SECRET_KEY = secrets().get("django_secret")
DEBUG = env_bool("LUMOS_DEBUG", False)

BASE_DOMAIN = os.environ.get("LUMOS_BASE_DOMAIN", "localhost")
PUBLIC_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env_list("LUMOS_PUBLIC_HOSTS")]
if BASE_DOMAIN not in PUBLIC_HOSTS:
    PUBLIC_HOSTS.append(BASE_DOMAIN)
ALLOWED_HOSTS = [*PUBLIC_HOSTS, f".{BASE_DOMAIN}", *env_list("LUMOS_ALLOWED_HOSTS")]
TRUSTED_PROXIES = env_int("LUMOS_TRUSTED_PROXIES", 0)
METRICS_TOKEN = env_token("LUMOS_METRICS_TOKEN") or secrets().get("metrics_token")
METRICS_NETWORKS = env_networks("LUMOS_METRICS_NETWORKS")
# Where operators' own providers may be, besides the public internet; what a tenant enters never leads there.
PRIVATE_NETWORKS = env_private_networks("LUMOS_PRIVATE_NETWORKS")

# Whether this process may be handed domain events and turns of tenants' lives, so that each app joins its handlers.
HEARS_EVENTS = True

# Operators and the money of all tenants: one set of tables. unfold stands first because others ship admin templates.
SHARED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "lumos_site",
    "core",
    "audit",
    "mail",
    "tenants",
    "accounts",
    "quotas",
    "billing",
    "scaling",
    "proxy",
    "portal",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "lumos_site.apps.OperatorAdminConfig",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_prometheus",
    "django_htmx",
    "csp",
    "channels",
]
TENANT_APPS = ["tenants.workspace"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]

TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "lumos_site.urls.public"
ROOT_URLCONF = "lumos_site.urls.public"
TENANT_URLCONF = "lumos_site.urls.portal"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
ORIGINAL_BACKEND = "django_prometheus.db.backends.postgresql"
PROMETHEUS_EXPORT_MIGRATIONS = False

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://lumos@127.0.0.1:5432/lumos")
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "core.tenancy.backend",
        **database_from_url(DATABASE_URL),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
}

# pg_dump and pg_restore, for tenants' backups; empty: whatever PATH has, which must be as new as the server.
POSTGRES_BIN = os.environ.get("LUMOS_POSTGRES_BIN") or embedded_tools()

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_url(),
        "OPTIONS": connection_options(),
        "KEY_PREFIX": f"{namespace()}:cache",
        "KEY_FUNCTION": "core.tenancy.cache.make_key",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # Whoever waits for a message asks for five seconds at a time, so that an answer may take a little more.
            "hosts": [{"address": redis_url(), "socket_connect_timeout": connect_seconds(), "socket_timeout": 6}],
            "prefix": f"{namespace()}:channels",
        },
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AUDIT_KEEP_MONTHS = env_months("LUMOS_AUDIT_KEEP_MONTHS", least=12)
# Where people reach the portals from outside; mail is written without a request that could tell.
EXTERNAL_SCHEME = "https" if env_bool("LUMOS_HTTPS", BASE_DOMAIN != "localhost") else "http"
EXTERNAL_PORT = env_int("LUMOS_EXTERNAL_PORT", 0)  # 0: the scheme's own

MAIL_DIRECTORY = var_dir() / "mail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = os.environ.get("LUMOS_MAIL_FROM") or f"Lumos <lumos@{BASE_DOMAIN}>"
EMAIL_TIMEOUT = 15
EMAIL_BACKEND = "mail.backends.FileBackend"
if os.environ.get("LUMOS_SMTP_URL"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    globals().update(smtp_from_url(os.environ["LUMOS_SMTP_URL"]))

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("zh-hant", "繁體中文")]
LOCALE_PATHS = [ROOT / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("LUMOS_STATIC_ROOT") or None  # unset: files are served from where the apps keep them
LOGGING_CONFIG = None
