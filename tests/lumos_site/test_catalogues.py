"""The interface speaks Simplified and Traditional Chinese: all of it, compiled, and on the pages themselves."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
import redis as redis_library
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from unfold.utils import display_for_label

from lumos_site.devtools.catalogues import LOCALE, catalogue_file, drift, faults, stale, write
from lumos_site.devtools.messages import SCRIPTS, have_gettext, key_of
from scaling.data import Reason
from scaling.models import REASON_CHOICES, ScalingDecision
from tests.cast import Operator
from tests.lumos_site.stage import set_stage

needs_gettext = pytest.mark.skipif(not have_gettext(), reason="finding messages needs gettext: apt install gettext")
# Of the languages' own character sets: a character of the other script is in none of them.
CHARACTERS = {"zh_Hans": "gb2312", "zh_Hant": "big5"}


def _catalogue(script: str) -> polib.POFile:
    return polib.pofile(str(catalogue_file(script)))


def _said(entry: polib.POEntry) -> str:
    return str(entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr)


def _one_message(locale: Path, **fields: object) -> list[str]:
    file = catalogue_file("zh_Hans", locale)
    file.parent.mkdir(parents=True, exist_ok=True)
    catalogue = polib.POFile()
    catalogue.append(polib.POEntry(**fields))
    catalogue.save(str(file))
    return faults(locale)


def test_each_message_is_translated_with_its_placeholders() -> None:
    assert faults(LOCALE) == []


def test_the_compiled_catalogues_say_what_the_sources_say() -> None:
    assert stale(LOCALE) == []


def test_both_scripts_have_the_same_messages() -> None:
    simplified, traditional = ({key_of(entry) for entry in _catalogue(script)} for script in SCRIPTS)
    assert simplified == traditional


@needs_gettext
def test_no_message_of_ours_or_of_the_installed_unfold_is_missing_and_none_is_dead() -> None:
    assert drift(LOCALE) == []


@needs_gettext
def test_writing_the_catalogues_anew_keeps_what_is_translated(tmp_path: Path) -> None:
    for script in SCRIPTS:
        file = catalogue_file(script, tmp_path)
        file.parent.mkdir(parents=True)
        file.write_bytes(catalogue_file(script).read_bytes())
    write(tmp_path)
    assert faults(tmp_path) == stale(tmp_path) == []
    assert all(catalogue_file(script, tmp_path).read_text() == catalogue_file(script).read_text() for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_character_of_the_other_script_slipped_in(script: str) -> None:
    def foreign(text: str) -> bool:
        return text.encode(CHARACTERS[script], "ignore").decode(CHARACTERS[script]) != text

    assert [_said(entry) for entry in _catalogue(script) if foreign(_said(entry))] == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"msgid": "Tenant", "msgstr": ""}, "not translated"),
        ({"msgid": "Tenant", "msgstr": "租户", "flags": ["fuzzy"]}, "doubtful"),
        ({"msgid": "%(n)s tenants", "msgstr": "%(m)s 个租户"}, "other placeholders"),
        ({"msgid": "Read <b>this</b>", "msgstr": "阅读"}, "other placeholders"),
        ({"msgid": "{0} task{1}", "msgstr": "{0} 个任务"}, "other placeholders"),
        ({"msgid": "Tenant", "msgstr": "租户", "obsolete": True}, "dead"),
    ],
)
def test_a_faulty_message_is_named(tmp_path: Path, fields: dict[str, object], fault: str) -> None:
    [line] = _one_message(tmp_path, **fields)
    assert f": {fault}: " in line


def test_a_good_message_is_not_named(tmp_path: Path) -> None:
    plural = {0: "%(n)s 个租户"}
    assert _one_message(tmp_path, msgid="%(n)s tenant", msgid_plural="%(n)s tenants", msgstr_plural=plural) == []


def test_a_catalogue_that_nobody_compiled_is_named(tmp_path: Path) -> None:
    _one_message(tmp_path, msgid="Tenant", msgstr="租户")
    assert stale(tmp_path) == ["zh_Hans/LC_MESSAGES/django.po: compile it again"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-hans", ("租户", "配额告警", "伸缩决策", "今日收费", "供应商")),
        ("zh-hant", ("租戶", "配額警示", "擴縮決策", "今日收費", "供應商")),
    ],
)
def test_the_admin_speaks_chinese(
    olivia: Operator, redis: redis_library.Redis, language: str, words: tuple[str, ...]
) -> None:
    set_stage(olivia)
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    asked = {"accept-language": language}
    pages = [
        client.get(reverse(f"admin:{name}"), headers=asked) for name in ("index", "scaling_scalingdecision_changelist")
    ]
    text = "".join(page.content.decode() for page in pages)
    assert [word for word in words if word not in text] == []
    assert re.search(rf'<html[^>]* lang="{language}"', text)


def test_an_operator_chooses_the_language_in_the_menu_of_the_account(olivia: Operator) -> None:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    assert 'value="zh-hant"' in client.get("/admin/").content.decode()
    answer = client.post("/i18n/setlang/", {"language": "zh-hant", "next": "/admin/"})
    assert answer["Location"] == "/admin/"
    assert re.search(r'<html[^>]* lang="zh-hant"', client.get("/admin/").content.decode())


@pytest.mark.parametrize("reason", Reason)
def test_a_decision_tells_its_reason_in_words(reason: Reason) -> None:
    """The theme shows the bare code of whatever has no colour."""
    shown = admin.site._registry[ScalingDecision].reason_shown
    cell = display_for_label(shown(ScalingDecision(reason=reason.value)), "-", shown.label)
    assert str(dict(REASON_CHOICES)[reason]) in cell
