"""The measured part of docs/performance.md: writes between two marks, leaves the rest of the page alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from benchmarks.figures import Figure, as_markdown
from benchmarks.machine import description
from core.conf import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def write_page(
    figures: list[Figure],
    *,
    command: str,
    now: datetime,
    load: float,
    page: Path = PAGE,
    marks: tuple[str, str] = (BEGIN, END),
) -> Path:
    """Replace what stands between the marks; a page without marks gets them at its end."""
    begin, end = marks
    text = page.read_text() if page.exists() else "# Performance\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{before}{begin}\n{section(figures, command=command, now=now, load=load)}\n{end}{after}")
    return page


def section(figures: list[Figure], *, command: str, now: datetime, load: float) -> str:
    machine = "\n".join(f"| {name} | {value} |" for name, value in description())
    return f"""
Measured on {now:%Y-%m-%d %H:%M} UTC by `{command}`; load of the machine just before: {load:.2f}.

{as_markdown(figures)}

| Machine | |
| --- | --- |
{machine}
"""
