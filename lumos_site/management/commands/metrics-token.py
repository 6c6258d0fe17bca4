"""`./lumos metrics-token`: prints the token that Prometheus shows, for its credentials file."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print the token that opens /metrics, without a line end: ./lumos metrics-token > lumos-metrics.token"
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(settings.METRICS_TOKEN, ending="")
