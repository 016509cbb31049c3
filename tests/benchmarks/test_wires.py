"""The benchmark of the wires plays what it says, and each reader reads all of it."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("langchain_anthropic")
pytest.importorskip("langchain_openai")

from benchmarks import closing, machine, wire_readers, wire_server, wires
from benchmarks.rows import Row, microseconds
from benchmarks.table import data
from benchmarks.wire_answers import anthropic_events, openai_events
from benchmarks.wire_server import BEFORE, WORDS
from millstream.messages.merge import gather_message
from millstream.providers.anthropic.stream import MessageStream
from millstream.providers.openai.stream import ChatStream


# A server for each test: LangChain keeps a client for each address, which is closed with the test.
@pytest.fixture
def url() -> Iterator[str]:
    with wire_server.running() as address:
        yield address


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.mark.parametrize(
    ("stream", "events"), [(ChatStream(), openai_events), (MessageStream(), anthropic_events)]
)
def test_the_recorded_answers_say_all_words(stream: object, events: object) -> None:
    said = stream.feed(b"".join(events(["Rivers ", "bend."])))  # type: ignore
    message = gather_message([*said, *stream.finish()])  # type: ignore
    assert message.content == "Rivers bend."
    assert message.usage_metadata is not None
    assert message.response_metadata["finish_reason"] == "stop"


@pytest.mark.leaks  # the connection that models keep
@pytest.mark.parametrize("provider", wires.PROVIDERS)
@pytest.mark.parametrize("how", ["bursts", "single"])
def test_each_reader_reads_the_whole_answer(
    url: str, runner: asyncio.Runner, provider: wires.Provider, how: str
) -> None:
    readers = provider(f"{url}/{how}")
    try:
        for name, read in readers.sync.items():
            count = read()
            assert WORDS <= count <= WORDS + 10, name
            assert runner.run(readers.asynchronous[name]()) == count, name
        assert [chunk.content for chunk in readers.ours.stream("Why?")] == [*wire_server.words(), ""]
    finally:
        readers.close()
        runner.run(readers.aclose())


@pytest.mark.parametrize("provider", wires.PROVIDERS)
def test_the_floor_makes_the_same_texts(provider: wires.Provider) -> None:
    is_openai = provider is wire_readers.OpenAI
    chunk_of = wire_readers.openai_chunk if is_openai else wire_readers.anthropic_chunk
    events = (openai_events if is_openai else anthropic_events)(wire_server.words(3))
    texts = [chunk_of(event.removesuffix(b"\n\n")).content for event in events]
    assert [text for text in texts if text] == wire_server.words(3)


@pytest.mark.leaks
def test_a_chunk_costs_less_than_the_peers(url: str, runner: asyncio.Runner) -> None:
    # With bounds far looser than the budget, which `make bench` measures.
    for colour, samples in wires.samples_of(wire_readers.OpenAI, f"{url}/bursts", runner):
        best = {name: min(samples[name]() for _ in range(2)) for name in ("ours", "peer")}
        assert best["peer"] > 2 * best["ours"], colour


@pytest.mark.parametrize("server", closing.SERVERS)
@pytest.mark.parametrize("way", closing.WAYS)
def test_the_server_sees_each_way_of_leaving(url: str, runner: asyncio.Runner, server: str, way: str) -> None:
    seconds = closing.taken(url, server, closing.WAYS[way], runner, times=2)
    assert len(seconds) == 4
    # The clock of another process: that it is the same one.
    assert all(0 <= each < 5 for each in seconds)


def test_a_stream_that_is_kept_is_not_seen_as_closed(url: str) -> None:
    readers = wire_readers.OpenAI(f"{url}/silent")
    stream = readers.ours.stream("Why?")
    for _ in range(BEFORE):
        next(stream)
    asked = time.monotonic()
    stream.close()
    assert wire_server.closed_at(url) >= asked
    readers.close()


def test_the_results_name_the_versions_and_what_stands_beside() -> None:
    facts = machine.facts()
    assert {"openai", "anthropic", "langchain-openai", "langchain-anthropic"} <= facts.keys()
    row = Row("a chunk", microseconds, 1e-6, beside={"the SDK": 2e-6})
    assert json.loads(json.dumps(data([row], facts)))["rows"][0]["beside"] == {"the SDK": 2e-6}
