"""A gateway process carries the code of its own path: memory and start-up time are paid once for each core."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from core.conf import ROOT

_SAY = "import json, sys, lumos_site.asgi; print(json.dumps(sorted(sys.modules)))"
FOREIGN = (
    *("jwt", "standardwebhooks", "psutil", "rest_framework", "allauth", "unfold"),
    *("accounts", "scaling", "portal", "tenants.tasks", "tenants.isolation.reporting", "quotas.handlers"),
)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a process that has begun as a gateway does."""
    role = {"DJANGO_SETTINGS_MODULE": "lumos_site.settings.gateway", "LUMOS_ROLE": "gateway"}
    command = [sys.executable, "-c", _SAY]
    said = subprocess.run(command, env={**os.environ, **role}, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return set(json.loads(said.stdout))


@pytest.mark.parametrize("name", FOREIGN)
def test_what_signs_in_people_signs_webhooks_or_runs_workers_is_not_in_a_gateway(loaded: set[str], name: str) -> None:
    assert name not in loaded


def test_what_serves_is(loaded: set[str]) -> None:
    assert {"proxy.gateway", "quotas.engine.engine", "tenants.api.facts"} <= loaded
