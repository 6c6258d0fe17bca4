"""`manage.py up`: hands over to the supervisor, which runs without Django."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "See ./lumos up --help."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """The options are the supervisor's, so they are not parsed here."""
        os.execv(sys.executable, [sys.executable, "-m", "lumos_site.supervisor", *argv[1:]])  # noqa: S606

    def handle(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError("run from the command line only")
