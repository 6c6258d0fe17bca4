"""Finds every message that the catalogues have to carry: ours, and those that installed apps leave untranslated."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polib
from django.conf import settings

from core.conf import ROOT

SCRIPTS = ("zh_Hans", "zh_Hant")
# What people see of other packages. Unfold ships no catalogue at all, celery-beat none in Traditional Chinese.
VENDORS = ("unfold", "django.contrib.admin", "django.contrib.auth", "django_celery_beat")
_NOT_SHOWN = {"tests", "benchmarks"}
_SUFFIXES = {".py", ".html", ".txt"}
_SKIPPED = {"locale", "migrations", "static", "contrib"}

Key = tuple[str | None, str]


def key_of(entry: polib.POEntry | polib.MOEntry) -> Key:
    return entry.msgctxt or None, entry.msgid


def have_gettext() -> bool:
    return all(shutil.which(program) for program in ("xgettext", "msguniq", "msgmerge"))


def wanted() -> list[polib.POEntry]:
    """Entries without translations, in the order of their sources; runs gettext on a copy, the tree stays untouched."""
    with tempfile.TemporaryDirectory(prefix="lumos-messages-") as folder:
        for name, source in _sources():
            _copy(source, Path(folder, name))
        found = _extract(Path(folder))
    served = _served()
    return [_bare(entry) for entry in found if _is_ours(entry) or key_of(entry) not in served]


def vendor_apps() -> list[str]:
    """The packages of VENDORS with the parts of Unfold that are installed."""
    return [*VENDORS, *(app for app in settings.INSTALLED_APPS if app.startswith("unfold.contrib."))]


def _sources() -> Iterator[tuple[str, Path]]:
    for package in sorted(ROOT.glob("*/__init__.py")):
        if package.parent.name not in _NOT_SHOWN:
            yield f"ours/{package.parent.name}", package.parent
    yield "ours/templates", ROOT / "templates"
    for app in vendor_apps():
        yield f"vendor/{app}", _folder_of(app)


def _folder_of(app: str) -> Path:
    found = importlib.util.find_spec(app)
    if found is None or not found.submodule_search_locations:
        raise LookupError(f"{app} is not installed")
    return Path(found.submodule_search_locations[0])


def _copy(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        relative = file.relative_to(source)
        if file.suffix in _SUFFIXES and not _SKIPPED.intersection(relative.parts):
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / relative)


def _extract(folder: Path) -> polib.POFile:
    (folder / "locale").mkdir()
    command = (sys.executable, "-m", "django", "makemessages", "--locale", SCRIPTS[0], "--no-wrap", "--verbosity", "0")
    alone = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=folder, env=alone, check=True, capture_output=True)  # noqa: S603 - our own command line
    return polib.pofile(str(folder / "locale" / SCRIPTS[0] / "LC_MESSAGES" / "django.po"))


def _is_ours(entry: polib.POEntry) -> bool:
    return any(file.startswith("ours/") for file, _ in entry.occurrences)


def _served() -> set[Key]:
    """Messages that Django or their own package translates into both scripts."""
    return set.intersection(*(_translated_into(script) for script in SCRIPTS))


def _translated_into(script: str) -> set[Key]:
    folders = [_folder_of("django.conf"), *map(_folder_of, vendor_apps())]
    files = [folder / "locale" / script / "LC_MESSAGES" / "django.mo" for folder in folders]
    return {key_of(entry) for file in files if file.exists() for entry in polib.mofile(str(file))}


def _bare(entry: polib.POEntry) -> polib.POEntry:
    """Without places, which change with every edit, and without what an extraction calls a translation."""
    many = {"msgid_plural": entry.msgid_plural, "msgstr_plural": {0: ""}} if entry.msgid_plural else {}
    flags = [flag for flag in entry.flags if flag != "fuzzy"]
    return polib.POEntry(msgid=entry.msgid, msgctxt=entry.msgctxt, comment=entry.comment, flags=flags, **many)
