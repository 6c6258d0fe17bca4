"""The house as it is to be: rules over the source, and the same layout in each room."""

from __future__ import annotations

import ast
import importlib
import subprocess
from functools import cache
from pathlib import Path

import pytest

from core.conf import ROOT
from tests.contracts.rules import FILE_WALL, RULES, TEST_WALL, Rule

ROOMS = ("audit", "mail", "tenants", "accounts", "quotas", "billing", "scaling", "proxy")
PACKAGES = (*ROOMS, "core", "portal", "lumos_site", "benchmarks")
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}


@cache
def sources() -> tuple[Path, ...]:
    """Python files of the product, tracked or about to be."""
    return tuple(
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    )


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check.__name__)
def test_each_rule_knows_good_from_bad(rule: Rule) -> None:
    assert not list(rule.check(ast.parse(rule.good)))
    assert list(rule.check(ast.parse(rule.bad)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check.__name__)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    complaints = [
        f"{relative(path)}:{line} {text}"
        for path in sources()
        if not any(part in f"/{relative(path)}" for part in rule.exempt)
        for line, text in rule.check(ast.parse(path.read_text()))
    ]
    assert complaints == []


def test_no_file_passes_the_wall() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py")]
    long = [relative(path) for path in sources() if len(path.read_text().splitlines()) > FILE_WALL]
    long += [relative(path) for path in tests if len(path.read_text().splitlines()) > TEST_WALL]
    assert long == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [relative(path) for path in sources() if path.name in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_has_its_doors(room: str) -> None:
    for name in ("apps", "api", "data"):
        assert (ROOT / room / f"{name}.py").exists() or (ROOT / room / name / "__init__.py").exists(), name


def _front_doors() -> list[str]:
    """`room.api`, or the parts of it where it is a package."""
    files = [path for room in ROOMS for path in (ROOT / room / "api.py", *(ROOT / room / "api").glob("*.py"))]
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files
        if path.exists() and path.name != "__init__.py"
    ]


def test_a_front_door_of_parts_offers_what_they_do_and_nothing_twice() -> None:
    for room in {door.split(".")[0] for door in _front_doors() if door.count(".") == 2}:
        parts = [importlib.import_module(door).__all__ for door in _front_doors() if door.startswith(f"{room}.api.")]
        offered = importlib.import_module(f"{room}.api").__all__
        assert sorted(offered) == sorted(name for part in parts for name in part)
        assert len(set(offered)) == len(offered)


@pytest.mark.parametrize("door", _front_doors())
def test_the_front_door_names_exactly_what_it_offers(door: str) -> None:
    module = importlib.import_module(door)
    tree = ast.parse(Path(module.__file__ or "").read_text())
    offered = {
        (alias.asname or alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert set(module.__all__) == offered
    assert list(module.__all__) == sorted(
        module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


def _imports_of(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


def test_a_room_is_entered_by_its_front_door_only() -> None:
    """From another room only `api` and `data`; the composition root may also reach urls, consumers and what it
    hands to the server: the application and the protocol of the gateway."""
    allowed = {"api", "data"}
    at_the_root = allowed | {"urls", "asgi", "protocol", "consumers", "conf", "routing", "providers"}
    wrong = []
    for path in sources():
        here = path.relative_to(ROOT).parts[0]
        doors = at_the_root if here == "lumos_site" else allowed
        for name in _imports_of(path):
            room, _, rest = name.partition(".")
            if room in ROOMS and room != here and rest.split(".")[0] not in doors and here != "benchmarks":
                wrong.append(f"{relative(path)} imports {name}")
    assert wrong == []


def test_every_management_command_and_task_is_named_in_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    commands = [path.stem for path in (ROOT / "lumos_site/management/commands").glob("[a-z]*.py")]
    tasks = [
        node.name
        for room in ROOMS
        for path in (ROOT / room).rglob("tasks.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and any("shared_task" in ast.unparse(d) for d in node.decorator_list)
    ]
    assert [name for name in (*commands, *tasks) if name.replace("_", "-") not in tests and name not in tests] == []


def test_no_secret_and_no_address_of_a_machine_is_tracked() -> None:
    listing = subprocess.run(
        ["git", "grep", "-nIE", r"sk-[A-Za-z0-9]{32,}|/root/|/home/[a-z]+/"], cwd=ROOT, capture_output=True, text=True
    )
    found = [line for line in listing.stdout.splitlines() if not line.startswith(("requirements", "tests/contracts/"))]
    assert found == []
