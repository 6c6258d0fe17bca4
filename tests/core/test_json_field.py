"""JSON that somebody types into a form: whatever cannot be read or kept is a fault of the field, and is shown again."""

from __future__ import annotations

import json

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from core.json_field import DEEPEST, StorableJSONField, is_list_of_objects, is_object

BAD = ["{", "[" * 3000, "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), "NaN", "[-Infinity]", "1e400", "9" * 5000, "\x00"]
BAD += [r'"\ud800"', r'{"\ud800": 1}', r'["\u0000"]', r'{"a\u0000": 1}', "{'a': 1}"]


class Form(forms.Form):
    value = StorableJSONField(required=False)
    shaped = StorableJSONField(required=False, shape=is_object)
    listed = StorableJSONField(required=False, shape=is_list_of_objects)


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_kept_is_refused_and_shown_as_it_was_typed(text: str) -> None:
    form = Form({"value": text})
    assert form.errors == {"value": ["This is not JSON."]}
    assert form["value"].value() == text
    assert form.as_p().encode()


@pytest.mark.parametrize("text", ["-1", '"x"', "true", "[1]", "[[{}]]"])
def test_another_shape_is_refused(text: str) -> None:
    form = Form({"shaped": text, "listed": text})
    assert set(form.errors) == {"shaped", "listed"}
    assert form.as_p().encode()


@given(st.recursive(st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_whatever_can_be_kept_is_taken_as_it_was_meant(value: object) -> None:
    text = json.dumps(value)
    form = Form({"value": text})
    kept = "\\u0000" not in text and all(not 0xD800 <= ord(c) <= 0xDFFF for c in str(value))
    assert form.is_valid() == kept
    assert not kept or value in (None, "", [], {}) or form.cleaned_data["value"] == value


def test_nothing_is_none_and_null_is_so_where_there_is_no_shape() -> None:
    form = Form({"value": "null", "shaped": "", "listed": " "})
    assert form.is_valid()
    assert form.cleaned_data == {"value": None, "shaped": None, "listed": None}
    assert set(Form({"shaped": "null", "listed": "null"}).errors) == {"shaped", "listed"}
    assert 'value="null"' not in Form().as_p()
    assert "null" not in Form().as_p()


def test_the_right_shapes_pass() -> None:
    form = Form({"shaped": '{"a": 1}', "listed": '[{"a": 1}]'})
    assert form.is_valid()
    assert form.cleaned_data["shaped"] == {"a": 1}
