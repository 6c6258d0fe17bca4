"""`./lumos check`: format, lint, types, import contracts, migrations, OpenAPI, access, catalogues; owns the steps."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from core.conf import ROOT

_PYTHON = sys.executable
_LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


@dataclass(frozen=True, slots=True)
class Step:
    """A command that ends with 0 when all is well; `advice` is what to do when it does not."""

    name: str
    command: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Outcome:
    step: Step
    passed: bool
    output: str
    seconds: float


def steps() -> list[Step]:
    """The slowest first, so that the others run beside it."""
    manage = (_PYTHON, "-W", "ignore::RuntimeWarning", "manage.py")
    return [
        Step("types", (_PYTHON, "-m", "mypy", "--no-error-summary", "."), "mend the types"),
        Step("openapi", (_PYTHON, "-m", "lumos_site.devtools.openapi"), "./lumos spectacular --file docs/openapi.yaml"),
        Step(
            "access",
            (_PYTHON, "-m", "lumos_site.devtools.access"),
            "read the difference, then python -m lumos_site.devtools.access write",
        ),
        Step(
            "migrations", (*manage, "makemigrations", "--check", "--dry-run", "--skip-checks"), "./lumos makemigrations"
        ),
        Step("imports", (_PYTHON, "-c", _LINT_IMPORTS), "import from the floors below only (pyproject.toml)"),
        Step("lint", (_PYTHON, "-m", "ruff", "check", "."), "ruff check --fix"),
        Step("format", (_PYTHON, "-m", "ruff", "format", "--check", "."), "ruff format"),
        Step("catalogues", (_PYTHON, "-m", "lumos_site.devtools.catalogues"), "translate the messages in locale/"),
    ]


def check(names: Sequence[str]) -> int:
    """Run all steps, or those named; 0 when all passed, 2 for a name that no step has."""
    chosen = [step for step in steps() if not names or step.name in names]
    unknown = set(names) - {step.name for step in steps()}
    if unknown:
        print(f"lumos: there is no check called {sorted(unknown)[0]}; there are {', '.join(s.name for s in steps())}")
        return 2
    return run(chosen)


def run(chosen: Sequence[Step]) -> int:
    """Two at a time, a line as each ends, then what those said that failed; 0 when none did."""
    with tempfile.TemporaryDirectory(prefix="lumos-check-") as var, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(_run, step, Path(var)) for step in chosen]
        outcomes = [_tell(done.result()) for done in as_completed(running)]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        print(f"\n── {outcome.step.name}: {outcome.step.advice}\n{outcome.output.strip()}")
    print(f"\n{len(failed)} of {len(outcomes)} checks failed" if failed else f"\nall {len(outcomes)} checks passed")
    return 1 if failed else 0


def _tell(outcome: Outcome) -> Outcome:
    print(f"{'ok    ' if outcome.passed else 'FAILED'} {outcome.step.name:<12}{outcome.seconds:6.1f} s", flush=True)
    return outcome


def _run(step: Step, var: Path) -> Outcome:
    began = time.monotonic()
    # No check needs a server: one that asks for a connection is told at once that there is none.
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1/0"}
    environment = {**os.environ, **nowhere, "LUMOS_VAR": str(var), "DJANGO_SETTINGS_MODULE": "lumos_site.settings.test"}
    ended = subprocess.run(  # noqa: S603 - our own command lines
        step.command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Outcome(step, ended.returncode == 0, ended.stdout + ended.stderr, time.monotonic() - began)
