"""Figures beside their goals, and the page that they are written into."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from benchmarks.figures import Figure, as_markdown, as_text
from benchmarks.machine import children, cpu_seconds, description, resident_mb
from benchmarks.page import BEGIN, END, write_page
from benchmarks.stand import CONFIGURATION, MODELS, Stand
from lumos_site.configuration.read import read_text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", "ms", (0.9, 0.7, 0.8), 0.8), True),
        (Figure("a", "ms", (0.9, 0.81, 0.8), 0.8), False),
        (Figure("a", "/s", (1_700, 1_900, 1_800), 1_800, at_least=True), True),
        (Figure("a", "/s", (1_700, 1_900, 1_799), 1_800, at_least=True), False),
        (Figure("a", "ms", (1.0,)), None),
    ],
)
def test_the_median_is_held_against_the_goal(figure: Figure, met: bool | None):
    assert figure.met is met


def test_a_table_shows_median_range_goal_and_verdict():
    figures = [Figure("Requests", "/s", (1_700, 2_000, 1_900), 1_800, at_least=True, decimals=0)]
    assert "| Requests | 1\u202f900 /s | 1\u202f700 to 2\u202f000 | ≥ 1\u202f800 /s | met |" in as_markdown(figures)
    assert as_text(figures).splitlines()[1].split() == [
        "Requests",
        "1",
        "900",
        "/s",
        "1",
        "700",
        "to",
        "2",
        "000",
        "≥",
        "1",
        "800",
        "/s",
        "met",
    ]


def test_the_page_keeps_what_stands_around_the_measured_part(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write_page([Figure("Memory", "MB", (99.0,), 150)], command="./lumos bench", now=NOW, load=0.1, page=page)
    text = page.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "Measured on 2026-11-21 12:00 UTC by `./lumos bench`; load of the machine just before: 0.10." in text
    assert "| Kernel |" in text


def test_the_kernel_is_asked_about_ourselves():
    assert cpu_seconds([os.getpid()]) > 0
    assert 10 < resident_mb(os.getpid()) < 4096
    assert os.getpid() in children(os.getppid())
    assert {"CPU", "Kernel", "Packages", "Revision"} <= {name for name, _ in description()}


def test_the_stands_configuration_can_be_read_and_a_stand_travels_as_text():
    text = CONFIGURATION.format(base_url="http://127.0.0.1:1/v1", models=", ".join(MODELS), many=10**9)
    document = read_text(text)
    assert [model.name for model in document.models] == list(MODELS)
    stand = Stand("u", "b", "g", "w", "r", "k", 4, 1, 2, 3, 0, 1)
    assert Stand.from_json(stand.to_json()) == stand
