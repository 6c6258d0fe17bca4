"""Bar charts as geometry for inline SVG: positions in percent across and in pixels down, so that text never scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

HEIGHT = 132
_TOP, _BOTTOM = 10, 112  # where the highest and the zero line are drawn
_MARKS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))

Number = int | Decimal


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `x`, `width` and `middle` in percent of the width, `y` and `height` in pixels."""

    x: str
    width: str
    slot_x: str
    slot_width: str
    middle: str
    y: int
    height: int
    label: str
    value: str
    shows_label: bool


@dataclass(frozen=True, slots=True)
class Tick:
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn series. `total` and `peak` are words for the summary that is read aloud."""

    title: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    total: str
    peak: str
    peak_label: str
    height: int = HEIGHT
    base: int = _BOTTOM

    @property
    def is_empty(self) -> bool:
        return all(bar.height == 0 for bar in self.bars)


def draw(
    title: str,
    points: Sequence[tuple[str, Number]],
    *,
    total: str,
    exact: Callable[[Number], str],
    short: Callable[[Number], str],
    label_every: int = 1,
) -> Chart:
    """The chart of `points` (label, value); values are not negative."""
    values = [Decimal(value) for _, value in points]
    top = ceiling(max(values, default=Decimal(0)))
    peak = max(range(len(values)), key=lambda index: values[index], default=0)
    bars = tuple(
        _bar(
            Decimal(100) / len(points),
            index,
            height=max(_length(Decimal(value), top), 2) if value else 0,  # what is not nothing is seen
            label=label,
            value=exact(value),
            shows_label=(len(points) - 1 - index) % label_every == 0,
        )
        for index, (label, value) in enumerate(points)
    )
    marks = (top, top / 2) if top else ()
    ticks = tuple(Tick(_BOTTOM - _length(mark, top), short(_whole(mark))) for mark in marks)
    return Chart(
        title=title,
        bars=bars,
        ticks=ticks,
        total=total,
        peak=bars[peak].value if bars else exact(0),
        peak_label=bars[peak].label if bars else "",
    )


def ceiling(value: Decimal) -> Decimal:
    """The next round number (1, 2, 2.5 or 5 times a power of ten) that is not below `value`; 0 stays 0."""
    if value <= 0:
        return Decimal(0)
    power = Decimal(1).scaleb(value.adjusted())
    return next(mark * power for mark in _MARKS if mark * power >= value)


def _whole(mark: Decimal) -> Number:
    return int(mark) if mark == mark.to_integral_value() else mark


def _length(value: Decimal, top: Decimal) -> int:
    return int((value / top * (_BOTTOM - _TOP)).to_integral_value()) if top else 0


def _bar(slot: Decimal, index: int, *, height: int, label: str, value: str, shows_label: bool) -> Bar:
    return Bar(
        x=_percent(slot * index + slot * Decimal("0.18")),
        width=_percent(slot * Decimal("0.64")),
        slot_x=_percent(slot * index),
        slot_width=_percent(slot),
        middle=_percent(slot * index + slot / 2),
        y=_BOTTOM - height,
        height=height,
        label=label,
        value=value,
        shows_label=shows_label,
    )


def _percent(number: Decimal) -> str:
    return f"{number.quantize(Decimal('0.001'))}%"
