"""What a provider's refusal means: its status, its names for the error and its words, to the typed error.

The first of these that says something decides:

1. the provider's names for the error, its `code` and its `type` (`_BY_NAME`);
2. its words, if they say that the prompt is too long, or against a policy: servers have many names for
   these, or none;
3. the HTTP status, which inside of a stream some tell as the code.

No key gets into an error: what looks like one is taken out of the provider's words.
"""

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from millstream.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)

_BY_NAME: dict[str, type[ProviderError]] = {
    name: kind
    for kind, names in {
        AuthenticationError: "invalid_api_key authentication_error invalid_authentication permission_error "
        "permission_denied unauthorized invalid_organization",
        RateLimitError: "rate_limit_exceeded rate_limit_error insufficient_quota billing_error "
        "too_many_requests",
        ContextLengthError: "context_length_exceeded exceed_context_size_error model_context_window_exceeded",
        ContentFilterError: "content_filter content_policy_violation responsibleaipolicyviolation "
        "moderation_blocked",
        ProviderUnavailable: "overloaded_error overloaded server_error internal_server_error "
        "internalservererror internal_error api_error timeout_error service_unavailable unavailable_error "
        "engine_overloaded",
    }.items()
    for name in names.split()
}

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: RateLimitError,  # the account is used up
    403: AuthenticationError,
    408: ProviderUnavailable,
    409: ProviderUnavailable,
    425: ProviderUnavailable,
    429: RateLimitError,
}

#: Asking again does not fill an account.
_USED_UP = frozenset({"insufficient_quota", "billing_error"})

_TOO_LONG = re.compile(
    r"maximum context length|context (length|limit|window|size)|(prompt|input) is too (long|large)"
    r"|too many (input )?tokens|exceeds? the context",
    re.IGNORECASE,
)
_POLICY = re.compile(r"content (filter|policy|management)", re.IGNORECASE)

_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id")

# Keys as the providers make them, and whatever stands behind the word that announces one.
_KEY = re.compile(
    r"\b(?:sk|gsk|pk|rk|xai|nvapi|hf|csk|fw|r8)[-_][\w*.-]{6,}|\bAIza[\w-]{10,}"
    r"|(?<=\bbearer )[\w*.~+/=-]+|(?<=api key: )[\w*.~+/=-]+|(?<=api key provided: )[\w*.~+/=-]+",
    re.IGNORECASE,
)


def refused(
    message: str,
    names: Sequence[Any] = (),
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    now: float | None = None,
) -> ProviderError:
    """The typed error that a refusal stands for, with all that it tells.

    `names` is what the provider calls the error, the most exact name first; the first one is the `code`, but
    for a number, which is the status again.
    `headers` are the answer's, in any case. `now` is the time to count a date in `retry-after` from, in
    seconds since 1970; by default it is now.
    """
    known = [str(name) for name in names if name not in (None, "")]
    if status is None or status < 400:
        status = next((int(name) for name in known if re.fullmatch("[45][0-9][0-9]", name)), status)
    told = {name.lower(): value for name, value in (headers or {}).items()}
    code = next((name for name in known if not name.isdigit()), None)
    error = _kind(status, known, message)(
        without_keys(message),
        status=status,
        code=without_keys(code) if code else None,
        request_id=next((told[name] for name in _REQUEST_IDS if told.get(name)), request_id),
        retry_after=retry_after(told, now),
    )
    if status == 402 or not _USED_UP.isdisjoint(known):
        error.retryable = False
    return error


def refused_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> ProviderError:
    """The typed error for an answer that is no success: its status, its headers and its body, JSON or not."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        told = body[:500].decode("utf-8", "replace").strip()
    message, names = words_and_names(told)
    given = told.get("request_id") if isinstance(told, Mapping) else None
    request_id = given if isinstance(given, str) else None
    return refused(
        message or f"HTTP {status}", names, status=status, headers=headers, request_id=request_id, now=now
    )


def words_and_names(told: Any) -> tuple[str, list[Any]]:
    """What an error says, and its names, code before type. Of any JSON that servers send for errors.

    These are `{"error": {"message", "code", "type"}}`, the same without the envelope, `{"error": "words"}`,
    and FastAPI's `{"detail": ...}`. Of anything else the words are the JSON itself.
    """
    inner = told
    if isinstance(told, Mapping):
        inner = told.get("error") or told
    if not isinstance(inner, Mapping):
        return (inner if isinstance(inner, str) else _shown(inner)), []
    found = inner.get("message") or inner.get("detail")
    message = found if isinstance(found, str) else _shown(inner)
    names = [inner.get("code"), inner.get("type"), inner.get("status")]
    return message, [name for name in names if isinstance(name, (str, int)) and name != ""]


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """How many seconds the provider asks to wait; None if it does not say. `headers` by their small names.

    `retry-after-ms` is in milliseconds; `retry-after` in seconds, or a date (RFC 9110, section 10.2.3).
    """
    exact = _seconds(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    given = headers.get("retry-after")
    seconds = _seconds(given)
    return _until(given, now) if seconds is None and given else seconds


def without_keys(text: str) -> str:
    """`text` without what looks like a key: servers quote the one that they were sent."""
    return _KEY.sub("[key]", text)


def _kind(status: int | None, names: Sequence[str], message: str) -> type[ProviderError]:
    for name in names:
        if kind := _BY_NAME.get(name.lower()):
            # "server_error" with a 4xx is what some say of any refusal.
            if kind is ProviderUnavailable and status is not None and status < 500:
                continue
            return kind
    if _TOO_LONG.search(message) and status not in (401, 403, 429):
        return ContextLengthError
    if _POLICY.search(message) and status in (None, 400):
        return ContentFilterError
    if status is not None and status >= 500:
        return ProviderUnavailable
    return _BY_STATUS.get(status or 0, ProviderError)


def _seconds(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str, now: float | None) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:
        from datetime import UTC

        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - (time.time() if now is None else now))


def _shown(told: Any) -> str:
    return json.dumps(told, ensure_ascii=False)[:500]
