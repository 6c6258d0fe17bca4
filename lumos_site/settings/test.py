"""The test suite: the control role without its pool, with fast password hashes."""

from __future__ import annotations

from core.http import parse_private_networks
from lumos_site.settings.control import *
from lumos_site.settings.control import DATABASES

DATABASES["default"]["OPTIONS"].pop("pool", None)
# Where tests let their providers listen.
PRIVATE_NETWORKS = parse_private_networks(["127.0.0.0/8", "localhost"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
