"""A credential's shape: what is mistyped is known before any I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.keyformat import is_well_formed, new_key


@pytest.mark.parametrize("kind", ["live", "test", "oper"])
def test_a_new_key_is_well_formed_and_unlike_the_next(kind: str) -> None:
    assert is_well_formed(new_key(kind))
    assert new_key(kind) != new_key(kind)


@given(st.integers(min_value=0, max_value=46), st.sampled_from("0aZ_!"))
def test_one_wrong_character_is_noticed(place: int, letter: str) -> None:
    key = new_key("live")
    damaged = key[:place] + letter + key[place + 1 :]
    assert is_well_formed(damaged) is (damaged == key)


@given(st.text(max_size=80))
def test_no_other_text_passes(text: str) -> None:
    assert not is_well_formed(text)
