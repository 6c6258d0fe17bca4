"""`manage.py run_local_backend`: becomes the agent of scaling's local backend, which needs no Django in memory."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from core.conf import ROOT


class Command(BaseCommand):
    help = "Run this machine's tenant workers as scaling orders them, until SIGTERM."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        sys.stdout.flush()
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "scaling.backends.local"])  # noqa: S606 - keeps pid and parent
