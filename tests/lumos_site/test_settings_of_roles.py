"""Each role's settings name all the apps that its code imports: else its processes end before their first line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core.conf import ROOT

_TASKS = "import django; django.setup(); from lumos_site.celery import app; app.loader.import_default_modules()"
BEGINNINGS = {"control": _TASKS, "worker": _TASKS, "gateway": "import lumos_site.asgi"}


@pytest.mark.parametrize("role", list(BEGINNINGS))
def test_a_process_with_the_settings_of_the_role_begins(role: str) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": f"lumos_site.settings.{role}", "LUMOS_ROLE": role}
    command = [sys.executable, "-c", BEGINNINGS[role]]
    done = subprocess.run(command, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
