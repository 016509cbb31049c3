"""What a chunk costs on its way from a provider's bytes: our models, the SDKs' iterators, LangChain's models.

Whole streams are timed, from the call to the end, of an answer of `WORDS` words from a server in a process of
its own. It sends faster than any of them reads.
"""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from benchmarks import wire_readers, wire_server
from benchmarks.measure import Sample, Times, aeach, each, interleaved
from benchmarks.rows import Row, microseconds, number, times_below
from benchmarks.wire_answers import anthropic_events, openai_events
from benchmarks.wire_server import BURST, WORDS, words
from millstream.providers.anthropic.stream import MessageStream
from millstream.providers.openai.stream import ChatStream

# Once a round, since the peers take a second a turn, and so many streams of those that take less.
TURNS = 1
STREAMS = {"raw": 3, "ours": 3, "sdk": 1, "peer": 1}

Provider = type[wire_readers.OpenAI] | type[wire_readers.Anthropic]
PROVIDERS: tuple[Provider, ...] = (wire_readers.OpenAI, wire_readers.Anthropic)
#: At how many times below langchain-openai the budget is.
BUDGET = 8


def rows() -> list[Row]:
    # LangChain's packages make a heap that takes longer to collect than a stream to read.
    gc.freeze()
    try:
        return _of_streams() + [_alone(provider) for provider in PROVIDERS]
    finally:
        gc.unfreeze()


def _of_streams() -> list[Row]:
    with wire_server.running() as url, asyncio.Runner() as runner:
        return [
            _row(provider, how, colour, interleaved(samples, turns=TURNS))
            for provider in PROVIDERS
            for how in ("bursts", "single")
            for colour, samples in samples_of(provider, f"{url}/{how}", runner)
        ]


def samples_of(
    provider: Provider, url: str, runner: asyncio.Runner
) -> Iterator[tuple[str, Mapping[str, Sample]]]:
    """The samples of both colours. The async ones share a loop, so that connections outlive a sample."""
    readers = provider(url)
    try:
        yield "sync", {name: each(read, STREAMS[name], WORDS) for name, read in readers.sync.items()}
        yield (
            "asyncio",
            {name: aeach(read, STREAMS[name], WORDS, runner) for name, read in readers.asynchronous.items()},
        )
    finally:
        readers.close()
        runner.run(readers.aclose())


def _row(provider: Provider, how: str, colour: str, times: Times) -> Row:
    in_bursts = how == "bursts"
    is_openai = provider is wire_readers.OpenAI
    ratio = times.ratio("peer", "ours")
    said = "" if in_bursts and is_openai else f"langchain-{provider.name}: {number(ratio)}x; "
    return Row(
        f"{provider.wire}, a chunk, {colour}" + ("" if in_bursts else ", an HTTP chunk each"),
        microseconds,
        times["ours"],
        times["peer"],
        times["raw"],
        [times_below(ratio, BUDGET)] if in_bursts and is_openai else [],
        note=f"{said}the iterator of `{provider.name}` {version(provider.name)}: "
        f"{microseconds(times['sdk'])}, {number(times.ratio('sdk', 'ours'))}x",
        beside={f"{provider.name}'s own iterator": times["sdk"]},
    )


def _alone(provider: Provider) -> Row:
    times = interleaved(parser_samples(provider))
    return Row(
        f"{provider.wire}, a chunk, the parser alone",
        microseconds,
        times["ours"],
        floor=times["raw"],
        note=f"bytes in memory, an event in a piece; {BURST} in a piece: {microseconds(times['bursts'])}",
        beside={f"{BURST} in a piece": times["bursts"]},
    )


def parser_samples(provider: Provider, count: int = WORDS) -> Mapping[str, Sample]:
    """The parser without a transport: events in memory, one by one and several at once."""
    is_openai = provider is wire_readers.OpenAI
    events = (openai_events if is_openai else anthropic_events)(words(count))
    kind: Any = ChatStream if is_openai else MessageStream
    chunk_of = wire_readers.openai_chunk if is_openai else wire_readers.anthropic_chunk
    bursts = [b"".join(events[at : at + BURST]) for at in range(0, len(events), BURST)]
    whole = [event.removesuffix(b"\n\n") for event in events]

    def parse(pieces: list[bytes]) -> int:
        stream, found = kind(), 0
        for piece in pieces:
            for _ in stream.feed(piece):
                found += 1
        assert stream.ended
        return found

    def by_hand() -> None:
        for _ in map(chunk_of, whole):
            pass

    assert parse(events) == parse(bursts) == count + 1
    return {
        "raw": each(by_hand, 5, count),
        "ours": each(lambda: parse(events), 5, count),
        "bursts": each(lambda: parse(bursts), 5, count),
    }
