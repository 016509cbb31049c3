import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from millstream.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from millstream.providers.anthropic.refusals import broken_off, refusal


def body(type: Any, message: Any = "No.") -> bytes:
    return json.dumps({"type": "error", "error": {"type": type, "message": message}}).encode()


@pytest.mark.parametrize(
    ("type", "message", "kind"),
    [
        ("authentication_error", "invalid x-api-key", AuthenticationError),
        ("permission_error", "No.", AuthenticationError),
        ("rate_limit_error", "No.", RateLimitError),
        ("overloaded_error", "Overloaded", ProviderUnavailable),
        ("api_error", "Internal server error", ProviderUnavailable),
        ("timeout_error", "No.", ProviderUnavailable),
        ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextLengthError),
        (
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            ContextLengthError,
        ),
        ("exceed_context_size_error", "the request exceeds the available context size", ContextLengthError),
        ("invalid_request_error", "Output blocked by content filtering policy", ContentFilterError),
        ("invalid_request_error", "max_tokens: Field required", ProviderError),
        ("invalid_request_error", "context_management: Extra inputs are not permitted", ProviderError),
        ("not_found_error", "model: claude-0", ProviderError),
        ("brand_new_error", "No.", ProviderError),
    ],
)
def test_an_errors_type_and_words_say_what_it_is(type: str, message: str, kind: type[ProviderError]) -> None:
    refused = refusal(400, {}, body(type, message))
    assert (refused.__class__, str(refused), refused.code, refused.status) == (kind, message, type, 400)
    broken = broken_off({"type": type, "message": message})
    assert (broken.__class__, str(broken), broken.code, broken.status) == (kind, message, type, None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ProviderError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, ProviderError),
        (408, ProviderUnavailable),
        (429, RateLimitError),
        (500, ProviderUnavailable),
        (529, ProviderUnavailable),
    ],
)
def test_else_the_status_says_it(status: int, kind: type[ProviderError]) -> None:
    for answer in (
        b"<html>Bad</html>",
        b"",
        b"[]",
        b"[" * 100_000,
        body("new"),
        body(3, 4),
        b'{"error": "x"}',
    ):
        refused = refusal(status, {}, answer)
        assert refused.__class__ is kind
        assert refused.status == status
        assert 0 < len(str(refused)) <= 200
    assert str(refusal(status, {}, b"")) == f"The provider answered with status {status}."
    assert str(refusal(status, {}, b"<html>Bad</html>")) == "<html>Bad</html>"


def test_the_request_id_is_in_the_headers_or_in_the_body() -> None:
    assert refusal(500, {"Request-Id": "req_1"}, b"").request_id == "req_1"
    assert refusal(500, {}, b'{"error": {}, "request_id": "req_2"}').request_id == "req_2"
    assert refusal(500, {}, b'{"request_id": 3}').request_id is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_told_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert refusal(429, headers, b"").retry_after == seconds


def test_how_long_to_wait_may_be_told_as_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    waits = refusal(429, {"retry-after": at}, b"").retry_after
    assert waits is not None
    assert 50 < waits <= 100


def test_a_key_in_the_words_is_not_told_on() -> None:
    key = "sk-ant-api03-" + "x" * 20
    for refused in (
        refusal(401, {}, body("authentication_error", f"Bad key {key}.")),
        refusal(401, {}, key.encode()),
    ):
        assert key not in str(refused)
        assert "sk-..." in str(refused)
