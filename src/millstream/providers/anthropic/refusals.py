"""What Anthropic's errors stand for, whether they refuse a request or break off an answer.

====================================================  =======================
the error's `type`                                    is raised as
====================================================  =======================
authentication_error, permission_error                `AuthenticationError`
rate_limit_error                                      `RateLimitError`
overloaded_error, api_error, timeout_error            `ProviderUnavailable`
invalid_request_error that tells of length            `ContextLengthError`
invalid_request_error that tells of content policy    `ContentFilterError`
any other                                             what the status says
====================================================  =======================

Servers that speak this wire have types of their own; those of llama.cpp are in the table below, too.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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

_KINDS: dict[str, type[ProviderError]] = {
    "authentication_error": AuthenticationError,
    "permission_error": AuthenticationError,
    "rate_limit_error": RateLimitError,
    "overloaded_error": ProviderUnavailable,
    "api_error": ProviderUnavailable,
    "timeout_error": ProviderUnavailable,
    # llama.cpp's own
    "exceed_context_size_error": ContextLengthError,
    "server_error": ProviderUnavailable,
    "unavailable_error": ProviderUnavailable,
}

_LENGTH = re.compile(
    r"(prompt|input) is too (long|large)|too many (input )?tokens|context (limit|window|length|size)", re.I
)
_POLICY = re.compile(r"content (filter|policy|management)", re.I)
_KEY = re.compile(r"\bsk-[\w-]{8,}")


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error that a refused request stands for: an answer with a status from 400.

    The text is the provider's own words, or the beginning of a body that is no error of this wire.
    """
    told = {name.lower(): value for name, value in headers.items()}
    error, request_id = _read(body)
    return _made(
        error,
        status=status,
        request_id=told.get("request-id") or request_id,
        retry_after=_seconds(told),
        else_say=_shown(body) or f"The provider answered with status {status}.",
    )


def broken_off(error: Any, request_id: str | None = None) -> ProviderError:
    """The error that an `error` event stands for; `error` is what the event tells under that name."""
    return _made(error, request_id=request_id, else_say=f"The provider broke off: {error!r:.200}")


def _made(error: Any, *, else_say: str, status: int | None = None, **told: Any) -> ProviderError:
    told_of = error if isinstance(error, Mapping) else {"message": error}
    code, message = told_of.get("type"), told_of.get("message")
    words = message if isinstance(message, str) and message else else_say
    code = code if isinstance(code, str) else None
    kind = _kind_of(code, words) or _kind_by_status(status)
    return kind(_KEY.sub("sk-...", words), status=status, code=code, **told)


def _kind_of(code: str | None, words: str) -> type[ProviderError] | None:
    if code == "invalid_request_error":
        if _LENGTH.search(words):
            return ContextLengthError
        return ContentFilterError if _POLICY.search(words) else None
    return _KINDS.get(code or "")


def _kind_by_status(status: int | None) -> type[ProviderError]:
    """What a status alone says, if nobody said more: a proxy's page, a type that is not known."""
    if status in (401, 403):
        return AuthenticationError
    if status == 429:
        return RateLimitError
    return ProviderUnavailable if status == 408 or (status or 0) >= 500 else ProviderError


def _read(body: bytes) -> tuple[Any, str | None]:
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None, None
    if not isinstance(read, dict):
        return None, None
    request_id = read.get("request_id")
    return read.get("error"), request_id if isinstance(request_id, str) else None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long to wait: `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110, 10.2.3)."""
    for name, each in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", given):
            return float(given) * each
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _shown(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()
