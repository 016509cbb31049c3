"""What a refused request means: status, headers and body to the typed error."""

import json
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
from millstream.providers.refusals import refused, refused_response, retry_after, words_and_names


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


LONG = "This model's maximum context length is 4096 tokens. However, you requested 5000."


@pytest.mark.parametrize(
    ("status", "sent", "kind"),
    [
        (401, body(message="No.", code="invalid_api_key"), AuthenticationError),
        (403, b"", AuthenticationError),
        (400, body(message=LONG, code="context_length_exceeded"), ContextLengthError),
        (400, json.dumps({"object": "error", "message": LONG, "code": 400}).encode(), ContextLengthError),
        (400, body(message="too big", type="exceed_context_size_error", code=400), ContextLengthError),
        (429, body(message=LONG, code="rate_limit_exceeded"), RateLimitError),
        (429, body(message="Your context size is used up for this minute."), RateLimitError),
        (413, body(message="Request too large", code="rate_limit_exceeded"), RateLimitError),
        (402, body(message="Insufficient credits", code=402), RateLimitError),
        (400, body(message="Policy.", code="content_filter"), ContentFilterError),
        (529, body(message="Overloaded", type="overloaded_error"), ProviderUnavailable),
        (408, b"", ProviderUnavailable),
        (500, body(message="oops", type="server_error"), ProviderUnavailable),
        (400, body(message="a bad field", type="server_error"), ProviderError),
        (404, body(message="no such model", code="model_not_found"), ProviderError),
        (422, b'{"detail": [{"loc": ["body"], "msg": "missing"}]}', ProviderError),
        (502, b"<html>Bad gateway</html>", ProviderUnavailable),
        (418, b"\xff\xfe", ProviderError),
    ],
)
def test_status_and_body_say_which_error_it_is(status: int, sent: bytes, kind: type[ProviderError]) -> None:
    error = refused_response(status, {}, sent)
    assert type(error) is kind
    assert error.status == status
    assert str(error)


def test_an_error_carries_what_the_provider_told() -> None:
    error = refused_response(
        429,
        {"X-Request-ID": "req_1", "Retry-After": "20"},
        body(message="Slow down.", type="requests", code="rate_limit_exceeded"),
    )
    assert str(error) == "Slow down."
    assert (error.code, error.request_id, error.retry_after) == ("rate_limit_exceeded", "req_1", 20)
    assert error.retryable


def test_trying_again_does_not_help_where_the_account_is_used_up() -> None:
    for status, code in ((429, "insufficient_quota"), (402, None)):
        error = refused_response(status, {}, body(message="Pay.", code=code))
        assert isinstance(error, RateLimitError)
        assert not error.retryable
    assert RateLimitError("").retryable


def test_a_status_inside_of_a_stream_is_told_as_the_code() -> None:
    busy = refused("busy", [503, "upstream"])
    assert (busy.status, busy.code) == (503, "upstream")
    assert type(refused("busy", ["503"])) is ProviderUnavailable
    assert refused("no", ["model_not_found"], status=200).status == 200
    assert refused("no", []).code is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 -0000"}, 30),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_in_seconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=1445412480) == seconds


KEYS = [
    "sk-proj-abcDEF123456",
    "sk-ant-api03-x_y-z123",
    "gsk_abcdef123456",
    "AIzaSyA1234567890abc",
    "sk-ab****cd",
]


@pytest.mark.parametrize("key", KEYS)
def test_no_key_gets_into_an_error(key: str) -> None:
    for told in (f"Incorrect API key provided: {key}. Find yours at ...", f"bad {key}", f"Bearer {key}"):
        for sent in (body(message=told, code=key), told.encode(), json.dumps({"detail": [told]}).encode()):
            error = refused_response(401, {"x-request-id": "r"}, sent)
            assert key not in f"{error!r} {error} {vars(error)}"
            assert "[key]" in str(error)


def test_words_that_only_begin_as_a_key_does_stay() -> None:
    told = "The task-based key-value risk is in the sky-high disk-cache."
    assert str(refused(told)) == told


@pytest.mark.parametrize(
    ("name", "message", "kind"),
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
            "input length and `max_tokens` exceed context limit: 9",
            ContextLengthError,
        ),
        ("invalid_request_error", "Output blocked by content filtering policy", ContentFilterError),
        ("invalid_request_error", "max_tokens: Field required", ProviderError),
        ("invalid_request_error", "context_management: Extra inputs are not permitted", ProviderError),
        ("brand_new_error", "No.", ProviderError),
    ],
)
def test_the_errors_of_anthropics_wire(name: str, message: str, kind: type[ProviderError]) -> None:
    words, names = words_and_names({"type": name, "message": message})
    error = refused(words, names, request_id="req_1")
    assert (type(error), str(error), error.code, error.request_id) == (kind, message, name, "req_1")


def test_the_request_id_may_stand_in_the_body() -> None:
    assert refused_response(500, {}, b'{"error": {}, "request_id": "req_2"}').request_id == "req_2"
    assert refused_response(500, {"Request-Id": "a"}, b'{"request_id": "b"}').request_id == "a"
    assert refused_response(500, {}, b'{"request_id": 3}').request_id is None
