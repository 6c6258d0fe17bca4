"""Celery worker and beat: base minus what only answers HTTP, so that a tenant's worker stays small.

- no admin and its theme: their system checks ask the database before a worker has a scope
- no messages, static files, REST, and no middleware of sessions: nobody is answered here
- no pool: the driver's pool does not survive a fork, and a worker runs few tasks at once
"""

from __future__ import annotations

from lumos_site.settings.base import *
from lumos_site.settings.base import SHARED_APPS, TENANT_APPS

_NEEDED = {
    "lumos_site",
    "core",
    "audit",
    "mail",
    "tenants",
    "accounts",  # takes part in the end of a tenant
    "quotas",
    "billing",
    "scaling",
    "proxy",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",  # its table only: whoever deletes a tenant ends what is open of it
    "django_celery_beat",
    "channels",
}
INSTALLED_APPS = [app for app in SHARED_APPS if app in _NEEDED] + TENANT_APPS
ROOT_URLCONF = "lumos_site.urls.nothing"
