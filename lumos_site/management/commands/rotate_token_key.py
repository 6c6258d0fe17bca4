"""`./lumos rotate_token_key`: another key for signing members' access tokens."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.api import Actor
from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import rotate_token_key

_ACTING = Actor("system", "command", "./lumos rotate_token_key")


class Command(BaseCommand):
    help = "Make a new key for signing access tokens; it signs in ten minutes, and the old one counts until then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at-once", action="store_true", help="a key leaked: end all older ones now")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            key = rotate_token_key(at_once=options["at_once"], acting=_ACTING, now=utc_now())
        self.stdout.write(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC")
