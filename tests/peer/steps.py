"""Functions that the cases put into chains. Each library is given the same ones."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any


class Broken(Exception):
    """An error of the user's own."""


def upper(text: str) -> str:
    return text.upper()


async def aupper(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


def double(text: str) -> str:
    return text + text


def join_values(values: dict[str, Any]) -> str:
    return "|".join(f"{key}={values[key]}" for key in sorted(values))


def fail(value: Any) -> Any:
    raise Broken("broken", value)


async def afail(value: Any) -> Any:
    raise Broken("broken", value)


def spell(text: str) -> Iterator[str]:
    yield from text


async def aspell(text: str) -> AsyncIterator[str]:
    for letter in text:
        yield letter


def shout(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        yield piece.upper()


async def ashout(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        yield piece.upper()


def letters(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        yield from piece


async def aletters(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        for letter in piece:
            yield letter


def break_after_two(pieces: Iterator[str]) -> Iterator[str]:
    for number, piece in enumerate(pieces):
        if number == 2:
            raise Broken("after two")
        yield piece


async def abreak_after_two(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    number = 0
    async for piece in pieces:
        if number == 2:
            raise Broken("after two")
        number += 1
        yield piece


def slowly(text: str) -> str:
    time.sleep(0.002 * (ord(text[0]) % 3) if text else 0)
    return text.upper()


class Meter:
    """A function that counts how many of its calls run at once; each waits for `together` of them to meet."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()
        self._meeting = threading.Barrier(together)

    def measure(self, value: Any) -> Any:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self._meeting.wait(10)
        with self._lock:
            self._running -= 1
        return value
