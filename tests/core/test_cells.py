"""How operators' lists write times, amounts and ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import cells
from lumos_site.templatetags.lumos_admin import count, short, shorter

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=-5, seconds=-3), "5\xa0minutes ago"),
        (timedelta(days=3, hours=2), "in 3\xa0days"),
    ],
)
def test_a_time_is_told_from_now_with_its_instant_on_hover(
    distance: timedelta, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "utc_now", lambda: NOW)
    shown = cells.ago(NOW + distance)
    assert f">{text}</time>" in shown
    assert "UTC" in shown


def test_no_time_and_no_amount_are_a_dash() -> None:
    assert {cells.ago(None), cells.amount(None, "USD"), cells.dotted(None), cells.public_link("x", "ten", "")} == {
        cells.EMPTY
    }


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("1234.5", "USD", "1,234.50 USD"),
        ("0.00012", "USD", "0.0001 USD"),
        ("0", "USD", "0.00 USD"),
        ("1500", "JPY", "1,500 JPY"),
        ("2", "", "2.00"),
    ],
)
def test_amounts_have_the_currencys_places_and_small_ones_four(value: str, currency: str, text: str) -> None:
    assert cells.cash_text(Decimal(value), currency) == text
    assert f'title="{value}' in cells.amount(Decimal(value), currency)


def test_numbers_are_plain_where_people_type_and_short_where_they_read() -> None:
    assert cells.plain(Decimal("2E+1")) == "20"
    assert cells.plain(Decimal("1E-7")) == "0.0000001"
    assert [short(number) for number in (7, 1234, 1_250_000, 3 * 10**9)] == ["7", "1.2 k", "1.3 M", "3.0 G"]
    assert count(Decimal("37966.000000")) == "37,966"


def test_ids_keep_their_kind_and_end() -> None:
    assert shorter("olivia") == "olivia"
    assert shorter("ten_01jd0000000000000000000ke2") == "ten_…000ke2"
