"""Finds the browser of the browser tests, or installs Debian's where this user may; never fails a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "LUMOS_CHROMIUM"


def find_chromium() -> str | None:
    given = os.environ.get(VARIABLE)
    if given:
        return given if os.access(given, os.X_OK) else None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def provide_chromium() -> str | None:
    """The path of a Chromium; without one, a line that says which tests are left out and why."""
    found = find_chromium()
    if found is None and VARIABLE not in os.environ and _may_install():
        _install()
        found = find_chromium()
    if found is None:
        print(f"Browser tests (pytest -m browser) are left out: {_why_not()}", file=sys.stderr, flush=True)
    return found


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _why_not() -> str:
    if VARIABLE in os.environ:
        return f"{VARIABLE} names no program."
    if _may_install():
        return "Debian's chromium could not be installed."
    return f"there is no Chromium; install it as root (apt install chromium) or set {VARIABLE} to one."


def _install() -> None:
    print("Installing Debian's chromium for the browser tests …", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", NAMES[0]],
    ):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if ended.returncode != 0:
            print((ended.stderr or ended.stdout).strip()[-600:], file=sys.stderr, flush=True)
