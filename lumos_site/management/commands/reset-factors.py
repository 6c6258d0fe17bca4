"""`./lumos reset-factors NAME`: for who lost their authenticator app, passkeys and recovery codes, operators too."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from accounts.api import reset_factors
from audit.api import Actor
from core.clock import utc_now
from core.tenancy import platform_scope


class Command(BaseCommand):
    help = "Remove all second factors of an account and end its sessions; its next sign-in starts over."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account's name or e-mail address")
        parser.add_argument("--reason", required=True, help="why, and how you know who asked; kept in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        acting = Actor("system", "reset-factors", f"{getpass.getuser()} by ./lumos reset-factors")
        with platform_scope():
            name = options["name"].strip()
            account = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name)).order_by("pk").first()
            if account is None:
                raise CommandError(f"There is no account {name}")
            removed = reset_factors(account=account, acting=acting, reason=options["reason"], now=utc_now())
        self.stdout.write(f"{account.get_username()}: {removed} factors removed, all sessions ended.")
