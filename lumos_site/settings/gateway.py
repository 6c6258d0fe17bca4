"""The gateway role: base minus what its path never touches, each removal with its reason.

- no MIDDLEWARE, no TEMPLATES: `/v1` is a raw ASGI application and `/ws/chat/` a consumer
- no admin, messages, static files, and no middleware of sessions: nobody signs in here
- no handlers of domain events or of tenants' lives, which only a process with a database is handed: half of the code
- no database: nothing on this role's path may ask one; a query fails, by the fence, for want of a scope
"""

from __future__ import annotations

from lumos_site.settings.base import *
from lumos_site.settings.base import SHARED_APPS, TENANT_APPS

MIDDLEWARE: list[str] = []
HEARS_EVENTS = False
_NEEDED = {
    "core",
    "audit",
    "mail",  # what tenants write to people; its models are imported with tenants
    "tenants",
    "quotas",
    "billing",
    "proxy",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",  # its table only: whoever deletes a tenant ends what is open of it
    "channels",
}
INSTALLED_APPS = [app for app in SHARED_APPS if app in _NEEDED] + TENANT_APPS
ROOT_URLCONF = "lumos_site.urls.nothing"
