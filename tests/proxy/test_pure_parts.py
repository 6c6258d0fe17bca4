"""Estimates, rates, bodies, envelopes, tokens and frames: everything of the gateway that needs no socket."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFound
from core.ids import new_ulid
from proxy import body, envelope, estimate, frames
from proxy.conf import GatewaySettings, read_settings
from proxy.errors import CredentialRefused, GatewayError, LayerLimited, QuotaSpent, RequestRefused
from proxy.gcra import SECOND, Gcra
from proxy.providers.failures import event_failure, failure_of, retry_after_ms
from proxy.records import SHIELD_FACTOR, TenantRecord
from proxy.streaming.usage import TokenUsage, reported
from proxy.tokens import BROWSER_TOKEN_SECONDS, mint_browser_token, read_browser_token
from proxy.upstream.inbox import Inbox
from proxy.upstream.pool import Origin
from quotas.api import Dimension, EffectiveLimits, Limit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORDS = st.text("abc xyz_{}[]:,é好🙂")  # nothing that JSON escapes: bodies with escaped letters are encoded anew


class TestEstimate:
    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("", 0, 0),
            ("The quick brown fox jumps over the lazy dog", 9, 14),
            ("你好世界", 4, 6),
            ("Привет, мир", 5, 8),
            ("🙂🙂", 4, 8),
            ("mixed 你好 and мир 🙂", 8, 18),
        ],
    )
    def test_each_script_has_its_weight(self, text: str, low: int, high: int) -> None:
        assert low <= estimate.text_tokens(text) <= high

    @given(st.text(), st.text())
    def test_more_text_is_never_fewer_tokens(self, one: str, two: str) -> None:
        assert estimate.text_tokens(one + two) >= max(estimate.text_tokens(one), estimate.text_tokens(two)) - 1
        assert estimate.text_tokens(one) >= 0

    def test_images_count_as_images_and_not_as_text(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
        parts = [image, {"type": "text", "text": "what is this?"}]
        tokens = estimate.chat_tokens({"messages": [{"role": "user", "content": parts}]})
        assert estimate.IMAGE_TOKENS <= tokens <= estimate.IMAGE_TOKENS + 50

    def test_audio_files_tools_and_odd_parts_count(self) -> None:
        parts: list[Any] = [
            {"type": "input_audio", "input_audio": {"data": "A" * 4000}},
            {"type": "input_audio"},
            {"type": "file"},
            {"type": "other", "x": 1},
            "bare",
        ]
        message = {"role": "user", "content": parts, "tool_calls": [{"function": {"arguments": "{}"}}]}
        plain = estimate.chat_tokens({"messages": [message]})
        tooled = estimate.chat_tokens({"messages": [message], "tools": [{"type": "function", "function": {}}]})
        assert plain > 2 * estimate.FILE_TOKENS
        assert tooled > plain

    def test_embedding_inputs_of_every_shape_count(self) -> None:
        assert estimate.input_tokens("hello world") == 3
        assert estimate.input_tokens(["hello", "world"]) == 4
        assert estimate.input_tokens([1, 2, 3]) == 3
        assert estimate.input_tokens([[1, 2], [3]]) == 3
        assert estimate.input_tokens(None) == 1


class TestGcra:
    def test_a_burst_passes_and_then_the_rate(self) -> None:
        rate = Gcra(rate=10, burst=5)
        assert [rate.wait("a", SECOND) for _ in range(5)] == [0] * 5
        wait = rate.wait("a", SECOND)
        assert wait == SECOND // 10
        assert rate.wait("a", SECOND + wait) == 0
        assert rate.wait("a", SECOND + wait) > 0

    def test_names_do_not_share_and_the_table_is_bounded(self) -> None:
        rate = Gcra(rate=1, burst=1, capacity=3)
        assert [rate.wait(name, SECOND) for name in "abcd"] == [0, 0, 0, 0]
        assert len(rate) == 3
        assert rate.wait("d", SECOND) > 0

    def test_whoever_was_quiet_the_longest_is_forgotten(self) -> None:
        rate = Gcra(rate=1, burst=2, capacity=2)
        assert [rate.wait(name, SECOND) for name in "abac"] == [0, 0, 0, 0]
        assert rate.wait("a", SECOND) > 0

    @given(st.lists(st.integers(0, SECOND), min_size=1, max_size=200))
    def test_no_window_lets_more_through_than_burst_and_rate(self, gaps: list[int]) -> None:
        rate, now, passed = Gcra(rate=20, burst=4), 0, []
        for gap in gaps:
            now += gap
            if rate.wait("x", now) == 0:
                passed.append(now)
        for start in passed:
            inside = [t for t in passed if start <= t < start + SECOND]
            assert len(inside) <= 4 + 20


class TestShield:
    """What a process refuses by itself: only what is far past a hard limit of requests a minute."""

    @staticmethod
    def of(*limits: Limit) -> Gcra | None:
        record = TenantRecord("01jd00000000000000000acme0", "acme", "ACTIVE", EffectiveLimits("acme", limits), None)
        return TenantRecord.from_json(record.to_json()).shield

    def test_a_hard_limit_has_one_and_no_other(self) -> None:
        assert self.of(Limit(Dimension.REQUESTS_PER_MINUTE, 60)) is not None
        assert self.of(Limit(Dimension.REQUESTS_PER_MINUTE, 60, hard=False)) is None
        assert self.of(Limit(Dimension.REQUESTS_PER_MINUTE, None)) is None
        assert self.of(Limit(Dimension.TOKENS_PER_MINUTE, 60)) is None

    def test_it_lets_everything_through_that_the_limit_may(self) -> None:
        shield = self.of(Limit(Dimension.REQUESTS_PER_MINUTE, 60))
        assert shield is not None
        assert [shield.wait("", SECOND) for _ in range(60 * SHIELD_FACTOR)] == [0] * 60 * SHIELD_FACTOR
        assert shield.wait("", SECOND) > 0


class TestBody:
    def chat(self, **changes: Any) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "user", "content": "x"}], **changes}

    @pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b'{"model":"\xff"}'])
    def test_what_is_no_json_object_is_refused(self, raw: bytes) -> None:
        with pytest.raises(RequestRefused) as refused:
            body.decode(raw)
        assert refused.value.code == "invalid_json"

    @pytest.mark.parametrize("model", [None, "", 7, "x" * 201])
    def test_a_model_must_be_named(self, model: Any) -> None:
        with pytest.raises(RequestRefused) as refused:
            body.decode(orjson.dumps({"model": model}))
        assert refused.value.param == "model"

    @pytest.mark.parametrize(
        ("changes", "param"),
        [
            ({"messages": []}, "messages"),
            ({"messages": "hi"}, "messages"),
            ({"messages": [{"role": "user"}, "x"]}, "messages[1]"),
            ({"messages": [{"content": "x"}]}, "messages[0]"),
            ({"stream": "yes"}, "stream"),
            ({"stream_options": 1}, "stream_options"),
            ({"n": 0}, "n"),
            ({"n": 99}, "n"),
            ({"max_tokens": -1}, "max_tokens"),
            ({"max_tokens": True}, "max_tokens"),
            ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ],
    )
    def test_a_refusal_names_the_field(self, changes: dict[str, Any], param: str) -> None:
        with pytest.raises(RequestRefused) as refused:
            body.check_chat(self.chat(**changes))
        assert refused.value.param == param

    @pytest.mark.parametrize("value", [None, [], {}, "", 5])
    def test_an_embedding_needs_an_input(self, value: Any) -> None:
        with pytest.raises(RequestRefused):
            body.check_embeddings({"input": value})
        body.check_embeddings({"input": [1] * 5000})
        with pytest.raises(RequestRefused):
            body.check_embeddings({"input": ["x"] * 5000})

    def test_nothing_to_change_leaves_the_very_bytes(self) -> None:
        raw = b'{ "model" : "m" }  '
        assert body.changed(raw, {"model": "m"}, {}) is raw

    @given(st.dictionaries(WORDS.filter(bool), st.integers(-(2**63), 2**63 - 1) | WORDS, max_size=5))
    def test_a_new_field_is_put_in_without_touching_the_others(self, fields: dict[str, Any]) -> None:
        request = {"model": "m", **{k: v for k, v in fields.items() if k != "stream_options"}}
        raw = json.dumps(request, ensure_ascii=False).encode() + b"\n"
        changed = body.changed(raw, dict(request), {"stream_options": {"include_usage": True}})
        assert changed.startswith(raw.rstrip()[:-1])
        assert json.loads(changed) == {**request, "stream_options": {"include_usage": True}}

    @pytest.mark.parametrize("name", ['"model"', '"mod\\u0065l"'])
    def test_a_name_that_stands_twice_reaches_the_provider_once(self, name: str) -> None:
        """Were the bytes passed on, a provider that reads the first one would serve a model that nobody checked."""
        raw = b'{"model":"dear","messages":[],%b:"cheap"}' % name.encode()
        request = body.decode(raw)
        assert request["model"] == "cheap"
        assert orjson.loads(body.changed(raw, request, {})) == {"model": "cheap", "messages": []}
        assert b"dear" not in body.changed(raw, request, {"stream_options": {"include_usage": True}})

    def test_a_field_that_is_there_is_replaced_and_not_doubled(self) -> None:
        request = self.chat()
        changed = body.changed(orjson.dumps(request), request, {"model": "other"})
        assert changed.count(b'"model"') == 1
        assert orjson.loads(changed)["model"] == "other"

    def test_what_cannot_be_written_again_is_refused(self) -> None:
        deep: Any = "x"
        for _ in range(400):
            deep = [deep]
        with pytest.raises(RequestRefused):
            body.encode({"model": deep})


class TestEnvelope:
    @pytest.mark.parametrize(
        ("milliseconds", "text"),
        [
            (0, b"0ms"),
            (120, b"120ms"),
            (1000, b"1s"),
            (1500, b"1.5s"),
            (60_000, b"1m0s"),
            (361_250, b"6m1.25s"),
            (3_600_000, b"1h0m0s"),
        ],
    )
    def test_spans_are_written_as_openai_does(self, milliseconds: int, text: bytes) -> None:
        assert envelope.duration(milliseconds) == text

    def test_an_unexpected_error_tells_nothing(self) -> None:
        assert b"secret" not in envelope.error_body(ValueError("secret"))
        assert envelope.error_status(ValueError()) == 500
        assert envelope.error_headers(ValueError()) == []

    def test_an_error_of_another_room_fits_into_the_envelope(self) -> None:
        assert envelope.error_object(NotFound("no"))["type"] == "invalid_request_error"
        assert envelope.error_status(NotFound()) == 404

    def test_retry_headers_are_there_when_they_are_true(self) -> None:
        limited = dict(envelope.error_headers(LayerLimited(retry_after_ms=1200)))
        assert limited == {b"retry-after": b"2", b"retry-after-ms": b"1200", b"x-should-retry": b"true"}
        assert dict(envelope.error_headers(QuotaSpent())) == {b"x-should-retry": b"false"}
        assert envelope.error_headers(GatewayError()) == []


class TestTokens:
    def test_a_minted_token_stands_for_its_user_until_it_ends(self) -> None:
        tenant = new_ulid()
        token = mint_browser_token(tenant, 42, NOW)
        record = read_browser_token(token, int(NOW.timestamp() * 1000))
        assert (record.tenant_id, record.id, record.live) == (tenant, "browser_42", True)
        over = NOW + timedelta(seconds=BROWSER_TOKEN_SECONDS)
        with pytest.raises(CredentialRefused):
            read_browser_token(token, int(over.timestamp() * 1000))

    def test_a_token_that_was_touched_is_refused(self) -> None:
        token = mint_browser_token(new_ulid(), 42, NOW)
        for at in range(len("lum_tok_"), len(token)):
            other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
            with pytest.raises(CredentialRefused):
                read_browser_token(other, 0)

    @pytest.mark.parametrize(
        "token", ["lum_tok_", "lum_tok_.", "lum_tok_x.y", "lum_tok_" + "é" * 9, "lum_tok_" + "x" * 999]
    )
    def test_nonsense_is_refused(self, token: str) -> None:
        with pytest.raises(CredentialRefused):
            read_browser_token(token, 0)

    def test_signed_nonsense_is_refused(self) -> None:
        from proxy.tokens import _encode, _signature

        for claims in (b"{}", b"[]", b'{"t":"x","u":"1","exp":99999999999}', b"\xff"):
            text = base64.urlsafe_b64encode(claims).decode().rstrip("=")
            with pytest.raises(CredentialRefused):
                read_browser_token(f"lum_tok_{text}.{_encode(_signature(text))}", 0)


class TestUsage:
    @pytest.mark.parametrize(
        "report",
        [None, [], {}, {"prompt_tokens": "7"}, {"prompt_tokens": -1}, {"prompt_tokens": 0, "completion_tokens": 0}],
    )
    def test_what_cannot_be_believed_is_no_report(self, report: Any) -> None:
        assert reported(report) is None

    def test_cached_tokens_are_a_part_of_the_input(self) -> None:
        report = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}}
        assert reported(report) == TokenUsage(5, 5, 1)
        assert reported({"prompt_tokens": 5, "prompt_tokens_details": None}) == TokenUsage(5, 0, 0)


_SPENT = b'{"error":{"code":"insufficient_quota"}}'


class TestFailures:
    async def failed(self, status: int, content: bytes = b"", **headers: str) -> GatewayError:
        import asyncio

        inbox = Inbox(asyncio.get_running_loop())
        inbox.status = status
        inbox.headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        return failure_of(inbox, content)

    @pytest.mark.parametrize(
        ("status", "ours", "code"),
        [
            (401, 503, "provider_refused_credentials"),
            (402, 503, "provider_refused_credentials"),
            (403, 503, "provider_refused_credentials"),
            (404, 502, "provider_model_missing"),
            (408, 504, "provider_timeout"),
            (429, 429, "rate_limit_exceeded"),
            (500, 502, "provider_error"),
            (503, 503, "provider_unavailable"),
            (504, 504, "provider_timeout"),
            (529, 503, "provider_unavailable"),
            (302, 502, "provider_error"),
        ],
    )
    async def test_a_providers_status_is_never_the_callers_by_accident(self, status: int, ours: int, code: str) -> None:
        failure = await self.failed(status, b"<html>")
        assert (failure.status, failure.code) == (ours, code)

    @pytest.mark.parametrize(("status", "body"), [(401, b""), (402, b""), (403, b""), (404, b""), (429, _SPENT)])
    async def test_what_only_the_operator_can_mend_advises_no_retry(self, status: int, body: bytes) -> None:
        assert (b"x-should-retry", b"false") in envelope.error_headers(await self.failed(status, body))

    async def test_a_refusal_that_the_caller_caused_is_passed_on_without_secrets(self) -> None:
        error = {"message": "bad for sk-abcdefghijklmnop", "param": "messages", "code": "context_length_exceeded"}
        failure = await self.failed(400, orjson.dumps({"error": {**error, "type": "invalid_request_error"}}))
        assert (failure.status, failure.param, failure.code) == (400, "messages", "context_length_exceeded")
        assert "sk-" not in failure.message
        assert (await self.failed(422, b"[]")).message

    async def test_the_operators_spent_quota_is_not_a_rate(self) -> None:
        failure = await self.failed(429, orjson.dumps({"error": {"code": "insufficient_quota"}}))
        assert failure.status == 503

    async def test_retry_after_is_read_when_it_is_readable(self) -> None:
        assert (await self.failed(429, retry_after="7")).retry_after_ms == 7000
        assert (await self.failed(429, retry_after="7", retry_after_ms="250")).retry_after_ms == 250
        assert (await self.failed(429, retry_after="Wed, 21 Oct")).retry_after_ms is None

    async def test_an_absurd_wait_is_capped(self) -> None:
        import asyncio

        inbox = Inbox(asyncio.get_running_loop())
        inbox.headers = [(b"retry-after", b"999999999")]
        assert retry_after_ms(inbox) == 3_600_000

    def test_an_error_event_keeps_its_class(self) -> None:
        assert event_failure({"code": 429}).status == 429
        assert event_failure({"message": "x"}).status == 502


class TestFrames:
    def test_a_request_stays_the_bytes_it_came_as(self) -> None:
        said = frames.read('{"type":"chat","id":"a","request":{"model" :  "m","x":1.50}}')
        assert bytes(said.request) == b'{"model" :  "m","x":1.50}'

    def test_ids_are_quoted(self) -> None:
        assert json.loads(frames.word('a"b', "done")) == {"id": 'a"b', "type": "done"}
        assert json.loads(frames.refusing("a", 429, b'{"error":{"code":"x"}}'))["error"] == {"code": "x"}


class TestSettings:
    def test_defaults_hold_without_any_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_settings() == GatewaySettings()

    def test_a_variable_changes_its_field_and_a_typo_stops(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from django.core.exceptions import ImproperlyConfigured

        monkeypatch.setenv("LUMOS_GATEWAY_IP_RATE", "7")
        monkeypatch.setenv("LUMOS_TRUSTED_PROXIES", "2")
        assert (read_settings().ip_rate, read_settings().trusted_proxies) == (7, 2)
        monkeypatch.setenv("LUMOS_GATEWAY_IP_RATE", "fast")
        with pytest.raises(ImproperlyConfigured, match="LUMOS_GATEWAY_IP_RATE"):
            read_settings()


class TestOrigin:
    @pytest.mark.parametrize(
        "url", ["", "api.openai.com", "ftp://x", "https://", "http://a:b@c/", "http://x/?q=1", "http://x:99999"]
    )
    def test_what_is_no_base_url_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError):
            Origin.of(url)

    def test_ports_and_prefixes_are_kept(self) -> None:
        assert Origin.of("https://api.openai.com/v1/") == Origin("api.openai.com", 443, True, "/v1")
        assert Origin.of("http://[::1]:8000").authority == "[::1]:8000"
        assert Origin.of("https://x/").authority == "x"
