"""Every pair of colours that the portal puts on one another can be told apart, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "portal" / "tokens.css"
_PAIR = re.compile(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\);")
COLOURS = {name: (light, dark) for name, light, dark in _PAIR.findall(TOKENS.read_text())}

TEXT = [
    *[(text, ground) for text in ("text", "quiet", "link") for ground in ("page", "surface", "sunken")],
    *[(text, "accent-soft") for text in ("text", "quiet", "link")],
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-danger", "danger"),
    *[(name, ground) for name in ("ok", "notice", "warning", "critical") for ground in ("surface", f"{name}-soft")],
]
SHAPES = [
    *[("line-strong", ground) for ground in ("surface", "page")],
    *[(bar, "sunken") for bar in ("bar-used", "bar-notice", "bar-warning", "bar-critical")],
    ("focus", "page"),
    ("focus", "surface"),
]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), TEXT)
def test_text_has_a_contrast_of_at_least_four_and_a_half(front: str, ground: str, scheme: int) -> None:
    assert contrast(COLOURS[front][scheme], COLOURS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), SHAPES)
def test_edges_of_fields_and_bars_have_a_contrast_of_at_least_three(front: str, ground: str, scheme: int) -> None:
    assert contrast(COLOURS[front][scheme], COLOURS[ground][scheme]) >= 3


def test_black_on_white_is_twenty_one() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
