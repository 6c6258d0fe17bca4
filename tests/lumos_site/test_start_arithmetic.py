"""The pure parts of the start: pauses, times, the words at the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumos_site.supervisor.backoff import HEALTHY_SECONDS, LONGEST_SECONDS, Backoff
from lumos_site.supervisor.banner import Welcome, url_host, welcome_lines
from lumos_site.supervisor.options import ServeOptions, UpOptions, parse
from lumos_site.supervisor.timing import StartTime, parallel_efficiency, timing_table


def test_the_pause_doubles_and_has_a_ceiling() -> None:
    backoff = Backoff()
    assert [backoff.after_crash(0.1) for _ in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert max(backoff.after_crash(0.1) for _ in range(50)) == LONGEST_SECONDS


def test_a_component_that_lived_long_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_crash(1)
    assert backoff.after_crash(HEALTHY_SECONDS) == 0.2


def test_efficiency_is_one_when_components_follow_each_other_and_two_when_two_share_the_time() -> None:
    assert parallel_efficiency([StartTime("a", 0, 1), StartTime("b", 1, 2)], 2) == 1
    assert parallel_efficiency([StartTime("a", 0, 2), StartTime("b", 0, 2)], 2) == 2


def test_waiting_at_the_gate_is_no_work() -> None:
    assert StartTime("web", began=1, ready=5, waited=3).worked == 1


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(0, 200))), st.floats(0, 100))
def test_efficiency_is_never_negative(times: list[tuple[float, float, float]], wall: float) -> None:
    made = [StartTime("x", began, began + lasted, waited) for began, lasted, waited in times]
    assert parallel_efficiency(made, wall) >= 0


def test_the_table_has_a_line_for_each_component_in_the_order_of_readiness() -> None:
    lines = timing_table([StartTime("web", 10.0, 12.0, 0.5), StartTime("postgres", 10.0, 10.5)], 9.0, 12.0)
    assert [line.split()[0] for line in lines] == ["component", "postgres", "web", "sum"]
    assert lines[2].split()[1:] == ["1.00s", "3.00s", "1.50s"]
    assert lines[-1].endswith("wall 3.00 s = parallel efficiency 0.67")


def test_the_last_words_of_a_first_start_are_all_a_newcomer_needs() -> None:
    text = "\n".join(
        welcome_lines(
            Welcome(
                base_url="http://localhost:8000",
                portal_urls={"acme": "http://acme.localhost:8000/"},
                operator=("olivia", "s3cret"),
                members={"acme": ("owner@acme.example", "p4ss")},
                demo_keys={"acme": "lum_live_x"},
            )
        )
    )
    for part in (
        "http://localhost:8000/admin/",
        "http://acme.localhost:8000/",
        "/api/docs/",
        "olivia",
        "s3cret",
        "p4ss",
    ):
        assert part in text
    assert "curl -N http://localhost:8000/v1/chat/completions -H 'Authorization: Bearer lum_live_x'" in text


def test_a_later_start_has_no_password_to_tell() -> None:
    assert "sign in as" not in "\n".join(welcome_lines(Welcome("http://localhost:8000")))


@pytest.mark.parametrize(
    ("host", "typed"),
    [("127.0.0.1", "localhost"), ("0.0.0.0", "localhost"), ("10.0.0.7", "10.0.0.7"), ("fe80::1", "[fe80::1]")],
)
def test_addresses_are_written_as_one_types_them(host: str, typed: str) -> None:
    assert url_host(host) == typed


def test_options_have_the_documented_defaults() -> None:
    assert parse(["up"]) == UpOptions("127.0.0.1", 8000, 1, seed=True, reset=False, yes=False)
    assert parse(["serve", "--role", "gateway", "--processes", "2"]) == ServeOptions("gateway", "127.0.0.1", 8000, 2)


@pytest.mark.parametrize(
    "line",
    ["up --port 0", "up --workers 0", "up --yes", "serve", "serve --role queen", "serve --role beat --processes 2"],
)
def test_options_that_make_no_sense_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        parse(line.split())
    assert refusal.value.code == 2
    assert "usage:" in capsys.readouterr().err
