#!/usr/bin/env python
"""Command-line door of Lumos; owns the choice of settings and the scope that commands run in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# These start servers: what they serve must enter its own scope, so they must not inherit one.
SERVERS = frozenset({"up", "serve", "run_local_backend"})


def _registered_keys() -> Mapping[int, str] | None:
    """By which a command knows a master key that is not this installation's; none while there is no table of them.

    None while the database is away: what it knows counts as soon as it is back.
    """
    from django.db import DatabaseError, InterfaceError, OperationalError, transaction

    from tenants.api import known_fingerprints

    try:
        with transaction.atomic():
            return known_fingerprints()
    except (OperationalError, InterfaceError):
        return None
    except DatabaseError:
        return {}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.control")
    from django.core.management import execute_from_command_line

    from core.conf import SecretsFixed
    from core.master_keys import expect_what
    from core.request_id import enter_request
    from core.tenancy import enter_platform_process

    if len(sys.argv) > 1 and sys.argv[1] not in SERVERS:
        enter_platform_process()
        enter_request("cmd")
        expect_what(_registered_keys)
    try:
        execute_from_command_line(sys.argv)
    except SecretsFixed as error:  # while the settings are read, before any command can say it
        sys.exit(f"{error.message}. {error.next_step}.")


if __name__ == "__main__":
    main()
