"""The launcher for real, in a directory of its own: a tiny wheel stands for the requirements, pip for the network.

No index is asked: pip finds the wheel in a folder, and uv cannot be had there, so the fall back to pip is proved too.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from core.conf import ROOT

MANAGE = "import sys; from trifle import VERSION; print('manage', VERSION, *sys.argv[1:])"


def build_wheel(folder: Path, version: str) -> str:
    """A package `trifle` of one line; the requirement line that locks it."""
    wheel = folder / f"trifle-{version}-py3-none-any.whl"
    info = f"trifle-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("trifle.py", f"VERSION = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: trifle\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"trifle=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class Checkout:
    """A directory with the launcher, a lock of one package and a manage.py that prints what it was given."""

    def __init__(self, root: Path) -> None:
        self.root, self.wheels = root, root / "wheels"
        self.wheels.mkdir(parents=True)
        self.lock = {version: build_wheel(self.wheels, version) for version in ("1.0", "2.0")}
        shutil.copy2(ROOT / "lumos", root / "lumos")
        (root / "manage.py").write_text(MANAGE)
        (root / "requirements-dev.txt").write_text(self.lock["1.0"])
        self.require("1.0")

    def require(self, version: str) -> None:
        (self.root / "requirements.txt").write_text(self.lock[version])

    @property
    def marker(self) -> Path:
        return self.root / ".venv" / "lumos-installed.json"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        return subprocess.run(
            [sys.executable, str(self.root / "lumos"), *arguments],
            env={**kept, **offline, "LUMOS_VAR": str(self.root / "var"), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, subprocess.CompletedProcess[str]]:
    """A checkout after its first command. The tests of this module go on from there."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    return checkout, checkout.run("hello", "--world")


@pytest.fixture
def checkout(fresh: tuple[Checkout, subprocess.CompletedProcess[str]]) -> Checkout:
    """Installed at version 1.0."""
    made, _ = fresh
    made.require("1.0")
    assert made.run("hello").stdout == "manage 1.0 hello\n"
    return made


def test_the_first_command_installs_shows_progress_and_hands_over(
    fresh: tuple[Checkout, subprocess.CompletedProcess[str]],
) -> None:
    _, first = fresh
    assert first.returncode == 0, first.stderr
    assert first.stdout == "manage 1.0 hello --world\n"
    for line in ("Making .venv", "Installing requirements.txt with pip: done in "):
        assert line in first.stderr


def test_the_second_command_installs_nothing(checkout: Checkout) -> None:
    second = checkout.run("hello")
    assert (second.stdout, second.stderr) == ("manage 1.0 hello\n", "")


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.require("2.0")
    changed = checkout.run("hello")
    assert "Installing requirements.txt" in changed.stderr
    assert changed.stdout == "manage 2.0 hello\n"


def test_bytecode_is_kept_whatever_the_image_says(checkout: Checkout) -> None:
    (checkout.root / "manage.py").write_text("import sys; print('writes', not sys.dont_write_bytecode)")
    assert checkout.run("hello", PYTHONDONTWRITEBYTECODE="1").stdout == "writes True\n"
    (checkout.root / "manage.py").write_text(MANAGE)


def test_the_checkout_is_compiled_with_the_packages(checkout: Checkout) -> None:
    room = checkout.root / "room"
    room.mkdir()
    (room / "__init__.py").write_text("")
    checkout.require("2.0")
    assert checkout.run("hello").returncode == 0
    assert list(room.glob("__pycache__/*.pyc"))


def test_an_interrupted_install_is_done_again(checkout: Checkout) -> None:
    checkout.marker.unlink()
    assert "Installing requirements.txt" in checkout.run("hello").stderr
    assert checkout.run("hello").stderr == ""


def test_while_it_installs_the_environment_counts_as_incomplete(checkout: Checkout) -> None:
    (checkout.root / "requirements.txt").write_text("trifle==2.0 --hash=sha256:" + "0" * 64 + "\n")
    failed = checkout.run("hello")
    assert failed.returncode == 1
    assert not checkout.marker.exists()
    assert "lumos: A downloaded package is not the one that was locked" in failed.stderr


def test_a_package_that_cannot_be_fetched_is_told_in_one_sentence(checkout: Checkout) -> None:
    checkout.require("2.0")
    failed = checkout.run("hello", PIP_FIND_LINKS=str(checkout.root))
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("lumos: The packages could not be fetched; check the network")


def test_a_broken_environment_is_made_anew(checkout: Checkout) -> None:
    (checkout.root / ".venv" / "bin" / "python").unlink()
    mended = checkout.run("hello")
    assert "Making .venv" in mended.stderr
    assert mended.stdout == "manage 1.0 hello\n"


def test_commands_of_developers_install_the_other_file_too(checkout: Checkout) -> None:
    outcome = checkout.run("check")  # there is no product in this checkout, so it only gets as far as that
    assert "requirements-dev.txt" in outcome.stderr
    assert set(json.loads(checkout.marker.read_text())["files"]) == {"requirements.txt", "requirements-dev.txt"}


def test_the_environment_says_where_a_running_installation_has_its_servers(checkout: Checkout) -> None:
    (checkout.root / "manage.py").write_text("import os; print(os.environ.get('DATABASE_URL'))")
    (checkout.root / "var").mkdir()
    running = {"supervisor": os.getpid(), "database_url": "postgresql://here", "redis_url": "redis://here"}
    (checkout.root / "var" / "running.json").write_text(json.dumps(running))
    kept = {name: "" for name in ("DATABASE_URL", "REDIS_URL")}
    assert checkout.run("shell", **kept).stdout == "postgresql://here\n"
    assert checkout.run("shell", DATABASE_URL="postgresql://mine").stdout == "postgresql://mine\n"
    shutil.rmtree(checkout.root / "var")
    (checkout.root / "manage.py").write_text(MANAGE)


def test_without_words_it_says_what_it_can_do(checkout: Checkout) -> None:
    outcome = checkout.run()
    assert outcome.returncode == 0
    assert "./lumos up" in outcome.stdout


@pytest.fixture
def launcher() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("launcher", str(ROOT / "lumos"))
    spec = importlib.util.spec_from_loader("launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_uv_is_given_the_ordinary_configuration_of_pip(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in launcher.PIP_TO_UV.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(launcher, "PYTHON", sys.executable)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/one /two")
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "7")
    environment = launcher.uv_environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert environment["UV_FIND_LINKS"] == "/one,/two"
    assert environment["UV_HTTP_TIMEOUT"] == "7"
    assert environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_a_python_that_is_too_old_is_refused_when_there_is_no_other(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "OLDEST", (3, 99))
    monkeypatch.setattr(launcher.shutil, "which", lambda name: None)
    with pytest.raises(launcher.Refusal, match=r"Lumos needs Python 3\.11 or newer"):
        launcher.right_python()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("Temporary failure in name resolution", "could not be fetched"),
        ("error: metadata-generation-failed", "could not be installed"),
    ],
)
def test_the_reason_of_a_failed_install_is_one_sentence(launcher: ModuleType, output: str, words: str) -> None:
    assert words in launcher.explain(output)
