"""A letter in its reader's language; owns which templates make one, knows no sender and no table."""

from __future__ import annotations

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation

from mail.data import Letter


@dataclass(frozen=True, slots=True)
class Words:
    """A message as it is read. `subject` is one line."""

    subject: str
    text: str
    html: str


def words_of(letter: Letter) -> Words:
    """The letter in its language; text and HTML say the same."""
    with translation.override(letter.language):
        subject = render_to_string(f"emails/{letter.kind}.subject.txt", dict(letter.context))
        return Words(
            subject=" ".join(subject.split()),
            text=render_to_string(f"emails/{letter.kind}.txt", dict(letter.context)).strip() + "\n",
            html=render_to_string(f"emails/{letter.kind}.html", {**letter.context, "language": letter.language}),
        )
