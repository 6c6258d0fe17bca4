"""The test suite: the control role without its pool, with fast password hashes."""

from __future__ import annotations

from lumos_site.settings.control import *
from lumos_site.settings.control import DATABASES

DATABASES["default"]["OPTIONS"].pop("pool", None)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
