"""The catalogues in locale/: whether each message is there, translated and compiled, and how they are written anew.

`python -m lumos_site.devtools.catalogues` checks; with `write` it takes in new messages, drops dead ones and compiles.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polib

from core.conf import ROOT

LOCALE = ROOT / "locale"
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|%[sd]|\{\w*(?=[:}])|<[^>]+>")
_HEADER = {
    "Project-Id-Version": "Lumos",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}


def catalogue_file(script: str, locale: Path = LOCALE) -> Path:
    return locale / script / "LC_MESSAGES" / "django.po"


def faults(locale: Path) -> list[str]:
    """`file: message` of each entry without a translation, with a doubtful one, or with other placeholders."""
    return [
        f"{file.relative_to(locale)}: {fault}: {entry.msgid[:70]!r}"
        for file in _files(locale)
        for entry in polib.pofile(str(file))
        if (fault := _fault(entry))
    ]


def stale(locale: Path) -> list[str]:
    """Catalogues whose compiled form, which is what people get to see, is not what they say."""
    return [
        f"{file.relative_to(locale)}: compile it again"
        for file in _files(locale)
        if not _compiled(file).exists() or _compiled(file).read_bytes() != polib.pofile(str(file)).to_binary()
    ]


def drift(locale: Path) -> list[str]:
    """Messages of the sources that a catalogue lacks, and messages of a catalogue that no source has. Needs gettext."""
    from lumos_site.devtools.messages import SCRIPTS, key_of, wanted

    sought, found = {key_of(entry) for entry in wanted()}, []
    for script in SCRIPTS:
        had = {key_of(entry) for entry in polib.pofile(str(catalogue_file(script, locale)))}
        found += [f"{script}: missing: {message!r}" for _, message in sorted(sought - had, key=str)]
        found += [f"{script}: used nowhere: {message!r}" for _, message in sorted(had - sought, key=str)]
    return found


def write(locale: Path) -> None:
    """Both catalogues with exactly the messages of the sources; translations that are there stay. Needs gettext."""
    from lumos_site.devtools.messages import SCRIPTS, wanted

    entries = wanted()
    for script in SCRIPTS:
        file = catalogue_file(script, locale)
        file.parent.mkdir(parents=True, exist_ok=True)
        old = polib.pofile(str(file)) if file.exists() else polib.POFile()
        new = _filled(entries, old)
        new.metadata = {**_HEADER, "Language": script}
        new.save(str(file))
        new.save_as_mofile(str(_compiled(file)))


def _filled(entries: list[polib.POEntry], old: polib.POFile) -> polib.POFile:
    new = polib.POFile(wrapwidth=110)
    for entry in entries:
        known = old.find(entry.msgid, msgctxt=entry.msgctxt or False)
        entry.msgstr = known.msgstr if known else ""
        if entry.msgid_plural:
            entry.msgstr_plural = dict(known.msgstr_plural) if known and known.msgstr_plural else {0: ""}
        new.append(entry)
    return new


def _files(locale: Path) -> Iterator[Path]:
    yield from sorted(locale.glob("*/LC_MESSAGES/*.po"))


def _compiled(file: Path) -> Path:
    return file.with_suffix(".mo")


def _fault(entry: polib.POEntry) -> str | None:
    if entry.obsolete:
        return "dead"
    if entry.fuzzy or not entry.translated():
        return "doubtful" if entry.fuzzy else "not translated"
    said = entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr
    same = _placeholders(said) == _placeholders(entry.msgid_plural or entry.msgid)
    return None if same else "other placeholders"


def _placeholders(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))


def main(words: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.test")
    from lumos_site.devtools.messages import have_gettext

    if words == ["write"]:
        write(LOCALE)
    found = [*faults(LOCALE), *stale(LOCALE), *(drift(LOCALE) if have_gettext() else ())]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
