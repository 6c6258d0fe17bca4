"""The developers' tools: the runner on its own servers, the checks, and the browser of the browser tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.conf import ROOT
from lumos_site.devtools import access, check, chromium, openapi
from lumos_site.devtools.__main__ import main
from lumos_site.devtools.chromium import VARIABLE, provide_chromium


def test_the_runner_starts_servers_gives_pytests_exit_code_and_leaves_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-m", "lumos_site.devtools", "test", "tests/core/test_cells.py", "-n0", "-k", "no_such_name"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    nothing_selected = 5
    assert ended.returncode == nothing_selected, ended.stdout + ended.stderr
    assert "deselected" in ended.stdout
    assert "lines that ran" not in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_does_not_exist_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "colours"]) == 2
    assert "there is no check called colours" in capsys.readouterr().out


def test_chosen_checks_run_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "format"]) == 0
    said = capsys.readouterr().out
    assert "ok     format" in said
    assert "all 1 checks passed" in said


def test_a_check_that_fails_says_what_to_do_and_fails_all(capsys: pytest.CaptureFixture[str]) -> None:
    def step(name: str, program: str) -> check.Step:
        return check.Step(name, (sys.executable, "-c", program), f"mend the {name}")

    assert check.run([step("roof", "pass"), step("wall", "print('a crack'); raise SystemExit(1)")]) == 1
    said = capsys.readouterr().out
    assert "ok     roof" in said
    assert "FAILED wall" in said
    assert "── wall: mend the wall\na crack" in said
    assert "1 of 2 checks failed" in said


@pytest.mark.parametrize("tool", [openapi, access])
def test_a_page_that_is_not_what_the_code_says_is_shown(
    tool: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def differs() -> int:
        return openapi.main() if tool is openapi else access.main([])

    assert differs() == 0
    stale = tmp_path / "stale"
    stale.write_text("an old line\n")
    monkeypatch.setattr(tool, "COMMITTED", stale)
    assert differs() == 1
    assert "\n-an old line\n" in capsys.readouterr().out
    stale.unlink()
    assert differs() == 1


def test_the_page_of_access_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = access.COMMITTED.read_text()
    monkeypatch.setattr(access, "COMMITTED", tmp_path / "access.md")
    assert access.main(["write"]) == 0
    assert access.COMMITTED.read_text() == committed


class TestTheBrowser:
    """Found, named, installed, or missed with one line that says why."""

    @pytest.fixture
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A PATH with nothing in it, and nobody who named a browser."""
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    @staticmethod
    def program(folder: Path, name: str, text: str = "") -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return file

    def test_is_the_one_that_is_there(self, machine: Path) -> None:
        self.program(machine, "google-chrome")
        first = self.program(machine, "chromium")
        assert provide_chromium() == str(first)

    def test_is_the_one_that_was_named(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program(machine, "chromium")
        named = self.program(machine, "mine")
        monkeypatch.setenv(VARIABLE, str(named))
        assert provide_chromium() == str(named)

    def test_that_was_named_and_is_none_is_told(
        self, machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.program(machine, "chromium")
        monkeypatch.setenv(VARIABLE, str(machine / "nothing"))
        assert provide_chromium() is None
        assert f"are left out: {VARIABLE} names no program" in capsys.readouterr().err

    def test_is_installed_where_that_may_be(self, machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
        browser = machine / "chromium"
        ready = f'[ "$1" = update ] || {{ echo "#!/bin/sh" > {browser}; /bin/chmod 755 {browser}; }}'
        self.program(machine, "apt-get", ready)
        found = provide_chromium()
        said = capsys.readouterr().err
        if os.geteuid() == 0:
            assert (found, said) == (str(browser), "Installing Debian's chromium for the browser tests …\n")
        else:
            assert found is None
            assert "install it as root" in said

    def test_that_cannot_be_installed_is_told_with_what_the_installer_said(
        self, machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
        self.program(machine, "apt-get", "echo 'no network' >&2; exit 100")
        assert provide_chromium() is None
        said = capsys.readouterr().err
        assert "no network" in said
        assert "Debian's chromium could not be installed" in said
