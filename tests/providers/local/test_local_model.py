"""The local chat model and text model, as steps of chains, on the real model."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, TypedDict

import pytest

from millstream import (
    AIMessageChunk,
    Cancelled,
    ChatLocal,
    ChatPromptTemplate,
    ConfigError,
    ContextLengthError,
    HumanMessage,
    LocalLLM,
    MissingDependency,
    ModelError,
    RunnableParallel,
    StrOutputParser,
    tool,
)
from millstream.kernel.scope import current_scope
from millstream.messages import merge_chunks
from millstream.providers.local.engine import Engine
from tests.conftest import Colour

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("engine")]

# The engine that the fixture has loaded: a sum that this small model gets right.
SHARED: dict[str, Any] = {"context": 2048, "temperature": 0.0}


def chat(**kwargs: Any) -> ChatLocal:
    return ChatLocal(**{"max_tokens": 12, **SHARED, **kwargs})


def test_it_streams_token_by_token_with_true_usage(colour: Colour) -> None:
    chunks = colour.stream(chat(), "Say hello.")
    assert len(chunks) > 4
    assert all(type(chunk) is AIMessageChunk for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    last = chunks[-1]
    assert (last.content, last.chunk_position) == ("", "last")
    assert last.response_metadata["model_name"] == "smollm2"
    assert last.response_metadata["finish_reason"] in ("stop", "length")
    usage = last.usage_metadata
    assert usage is not None
    assert not usage.estimated
    # A token may end inside a character, and is held back then: no more chunks than tokens.
    assert usage.output_tokens >= len(chunks) - 1
    assert usage.input_tokens > 10
    whole = colour.invoke(chat(), "Say hello.")
    assert whole.content == "".join(chunk.content for chunk in chunks)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata.output_tokens == usage.output_tokens


def test_a_chain_on_the_real_model_streams_through_generators_of_both_colours(colour: Colour) -> None:
    def shout(pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            yield piece.upper()

    async def mark(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            yield f"<{piece}>"

    chain = ChatPromptTemplate.from_template("Say {word}.") | chat() | StrOutputParser() | shout | mark
    pieces = colour.stream(chain, {"word": "hello"})
    assert len(pieces) > 4
    assert all(piece == piece.upper() for piece in pieces)


def test_parameters_of_the_model_and_of_a_call(colour: Colour) -> None:
    model = chat(max_tokens=3)
    (usage,) = [colour.invoke(model, "Count to ten.").usage_metadata]
    assert usage.output_tokens == 3
    assert colour.invoke(model, "Count to ten.", max_tokens=5).usage_metadata.output_tokens == 5
    assert colour.invoke(model.bind(max_tokens=1), "Count to ten.").usage_metadata.output_tokens == 1
    with_stop = colour.invoke(chat(), "Say hello.", stop=["!", "."])
    assert "!" not in with_stop.text
    assert with_stop.response_metadata["finish_reason"] == "stop"


def test_an_answer_constrained_by_a_json_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"country": {"type": "string", "maxLength": 12}, "people": {"type": "integer"}},
        "required": ["country", "people"],
        "additionalProperties": False,
    }
    message = chat(max_tokens=40, json_schema=schema).invoke("Name a country and how many people live there.")
    answer = json.loads(message.text)
    assert set(answer) == {"country", "people"}
    assert isinstance(answer["people"], int)


class Country(TypedDict):
    name: str
    people: int


def test_a_structured_answer_fills(colour: Colour) -> None:
    model = chat(max_tokens=40).with_structured_output(Country)
    *partial, last = colour.stream(model, "Write France (68000000) as JSON: name and people.")
    assert partial[0] == {}
    assert len(partial) > 3
    assert (type(last["name"]), type(last["people"])) == (str, int)


# It would go on until long after the test.
ENDLESS: dict[str, Any] = {"max_tokens": 1500, "extra": {"ignore_eos": True}}


def generating(engine: Engine) -> int:
    return len(engine._calls)


def test_closing_a_stream_stops_the_generation(engine: Engine) -> None:
    model = chat().bind(**ENDLESS)
    for _ in range(2):
        stream = model.stream("Count from one to one thousand.")
        next(stream)
        assert generating(engine) == 1
        begun = time.monotonic()
        stream.close()
        assert time.monotonic() - begun < 0.5
        assert generating(engine) == 0

    async def run() -> None:
        async with aclosing(model.astream("Count from one to one thousand.")) as chunks:
            await anext(chunks)
            assert generating(engine) == 1
        assert generating(engine) == 0
        async for _ in model.astream("Count from one to one thousand."):
            break
        begun = time.monotonic()
        while generating(engine):
            await asyncio.sleep(0.002)
        assert time.monotonic() - begun < 0.5

    asyncio.run(run())


def test_a_cancel_from_another_thread_stops_it(engine: Engine) -> None:
    def cancel_soon(text: str) -> str:
        scope = current_scope()
        assert scope is not None
        assert scope.parent is not None
        threading.Timer(0.3, scope.parent.cancel).start()
        return text

    chain = ChatPromptTemplate.from_template("{x}") | (lambda value: value) | chat().bind(**ENDLESS)
    stopped = cancel_soon | chain
    with pytest.raises(Cancelled):
        list(stopped.stream("Count from one to one thousand."))
    assert generating(engine) == 0


def test_the_event_loop_goes_on_while_it_generates() -> None:
    async def run() -> int:
        ticks = 0
        task = asyncio.ensure_future(chat().ainvoke("Say hello."))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.002)
        await task
        return ticks

    assert asyncio.run(run()) > 10


def test_streams_run_at_once_and_wait_their_turn_beyond_the_slots(colour: Colour) -> None:
    branches = RunnableParallel({name: chat(max_tokens=4) | StrOutputParser() for name in ("a", "b", "c")})
    answers = colour.invoke(branches, "Say hello.")
    assert len(answers) == 3
    assert all(answers.values())


def test_a_prompt_that_is_too_long(colour: Colour) -> None:
    with pytest.raises(ContextLengthError) as caught:
        colour.stream(chat(), "word " * 3000)
    assert "ChatLocal" in caught.value.__notes__[0]
    # The next one works.
    assert colour.invoke(chat(max_tokens=2), "Say hello.").text


def test_the_text_model_goes_on(colour: Colour) -> None:
    runs: list[Any] = []
    model = LocalLLM(max_tokens=6, **SHARED)
    pieces = colour.stream(model.with_listeners(on_end=runs.append), "One, two, three,")
    assert len(pieces) > 2
    assert "".join(pieces) == colour.invoke(model, "One, two, three,")
    assert runs[0].usage.output_tokens == 6
    assert not runs[0].usage.estimated


def test_sampling_by_name_and_names_that_are_none(colour: Colour) -> None:
    assert colour.invoke(chat(max_tokens=3), "Say hello.", top_p=0.9, top_k=1).text
    with pytest.raises(ConfigError, match="takes no temprature"):
        colour.invoke(chat(), "Say hello.", temprature=0)


def test_a_forked_child_is_told_and_does_not_hang() -> None:
    program = (
        "import os, signal, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "from millstream import ChatLocal, ModelError\n"
        "model = ChatLocal(context=512, max_tokens=1)\n"
        "model.load()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(20)\n"
        "    try:\n"
        "        model.invoke('x')\n"
        "    except ModelError as error:\n"
        "        assert 'forked' in str(error)\n"
        "        raise SystemExit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "assert model.invoke('x').usage_metadata.output_tokens == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_model_that_is_not_there(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no model file"):
        colour.invoke(ChatLocal("/nowhere/model.gguf"), "x")
    monkeypatch.setattr("millstream.providers.local.weights._installed", lambda model: None)
    with pytest.raises(MissingDependency, match="millstream models add smollm2"):
        colour.invoke(ChatLocal(), "x")
    monkeypatch.setenv("MILLSTREAM_MODEL", "/elsewhere/model.gguf")
    with pytest.raises(ModelError, match="elsewhere"):
        colour.invoke(ChatLocal(), "x")


def test_generate_tells_true_usage() -> None:
    result = LocalLLM(**SHARED, max_tokens=4).generate(["Rivers bend because"])
    ((generation,),) = result.generations
    assert result.llm_output is not None
    usage = result.llm_output["token_usage"]
    assert usage["completion_tokens"] == 4
    assert "estimated" not in usage
    assert generation.generation_info == {"finish_reason": "length", "model_name": "smollm2"}
    result = chat(max_tokens=4).generate([[("human", "Say hello.")]])
    ((generation,),) = result.generations
    assert result.llm_output is not None
    assert result.llm_output["model_name"] == "smollm2"
    assert 0 < result.llm_output["token_usage"]["completion_tokens"] <= 4
    assert chat(max_tokens=4)([("human", "Say hello.")]).text == generation.text


# --- tools --------------------------------------------------------------------------------------------


@tool
def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"20 degrees and sunny in {city}"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_forced_call_streams_and_holds_no_text(colour: Colour, engine: Engine) -> None:
    assert engine.calling == "begun"
    model = ChatLocal(context=2048, max_tokens=40).bind_tools([add, weather], tool_choice="weather")
    chunks = colour.stream(model, "How warm is it in Rome?")
    assert len(chunks) > 4
    assert {chunk.content for chunk in chunks} == {""}
    grown = [merge_chunks(chunks[:count]).tool_calls[0].args for count in range(1, len(chunks))]
    assert grown[0] == {}
    assert {"city": ""} in grown
    [call] = merge_chunks(chunks).tool_calls
    assert (call.name, call.args) == ("weather", {"city": "Rome"})
    assert call.id
    assert chunks[-1].response_metadata["finish_reason"] == "tool_calls"
    assert not chunks[-1].usage_metadata.estimated


def test_a_call_its_result_and_an_answer_from_it() -> None:
    model = chat(max_tokens=24).bind_tools([weather], tool_choice="any")
    messages: list[Any] = [HumanMessage("How warm is it in Rome?")]
    messages.append(model.invoke(messages))
    messages += [weather.invoke(call) for call in messages[-1].tool_calls]
    answer = model.invoke(messages, tool_choice="none")
    assert answer.tool_calls == []
    assert "20" in answer.text


def test_an_answer_by_a_call_is_held_to_the_schema() -> None:
    class Sum(TypedDict):
        a: int
        b: int

    model = chat(max_tokens=40).with_structured_output(Sum, method="function_calling")
    *partial, last = model.stream("Add 17 and 25.")
    assert len(partial) > 1
    assert last == {"a": 17, "b": 25}


def test_leaving_in_the_middle_of_a_call_stops_the_generation(engine: Engine) -> None:
    # One call after the other, for ever.
    model = chat(max_tokens=1500).bind_tools([weather], tool_choice="any", parallel_tool_calls=True)
    stream = model.stream("How warm is it in Rome?")
    next(stream)
    next(stream)
    assert generating(engine) == 1
    stream.close()
    assert generating(engine) == 0

    async def run() -> None:
        async with aclosing(model.astream("How warm is it in Rome?")) as chunks:
            async for chunk in chunks:
                assert chunk.tool_call_chunks
                break
        assert generating(engine) == 0
        task = asyncio.ensure_future(model.ainvoke("How warm is it in Rome?"))
        while not generating(engine):
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert generating(engine) == 0

    asyncio.run(run())


def test_tools_that_are_none_are_refused(colour: Colour) -> None:
    with pytest.raises(ConfigError, match="no tools of its own"):
        colour.invoke(chat().bind_tools([{"type": "web_search"}]), "?")
    with pytest.raises(ConfigError, match="takes no tools"):
        LocalLLM(**SHARED).invoke("?", tools=[weather])
