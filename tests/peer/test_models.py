"""Prompts, models and parsers in chains, beside langchain-core's."""

import uuid
from typing import Any

import pytest

from tests.peer.compare import Case, compare, each
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import Broken, aletters, ashout, letters, shout, upper

ANSWER = ["The ", "", "answer", "."]


def _chunk(lib: Any, **fields: Any) -> Any:
    return lib.AIMessageChunk(**{"content": "", **fields})


def _prompt(lib: Any) -> Any:
    return lib.ChatPromptTemplate.from_messages([("system", "You are {who}."), ("human", "{question}")])


def _pieces_of_call(lib: Any) -> list[Any]:
    return [
        _chunk(lib, tool_call_chunks=[{"name": "f", "args": "", "id": "1", "index": 0}]),
        _chunk(lib, tool_call_chunks=[{"name": None, "args": '{"x"', "id": None, "index": 0}]),
        _chunk(lib, tool_call_chunks=[{"name": None, "args": ": 1}", "id": None, "index": 0}]),
    ]


LAST = {"chunk_position": "last"}
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
ASKED = {"who": "a bot", "question": "Why?"}
MESSAGES = [("system", "s"), ("human", "h")]

CALL = {"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}

CHATS = [
    Case("text", lambda lib: lib.chat(ANSWER), input="hi", pieces=["hi"]),
    Case("one item", lambda lib: lib.chat(["x"]), input="hi"),
    Case("messages", lambda lib: lib.chat(ANSWER), input=MESSAGES, pieces=[MESSAGES]),
    Case(
        "message objects",
        lambda lib: lib.chat(ANSWER),
        input=lambda lib: [lib.HumanMessage("hi")],
        many=[["a"]],
    ),
    Case("chunks", lambda lib: lib.chat([_chunk(lib, content="a"), _chunk(lib, content="b")]), input="hi"),
    Case(
        "a last chunk of its own",
        lambda lib: lib.chat([_chunk(lib, content="a"), _chunk(lib, content="b", chunk_position="last")]),
        input="hi",
    ),
    Case(
        "ids of the model's own",
        lambda lib: lib.chat(
            [_chunk(lib, content="a", id="msg-1"), _chunk(lib, content="b", id="msg-1", **LAST)]
        ),
        input="hi",
    ),
    Case(
        "usage of the model's own",
        lambda lib: lib.chat(["a", _chunk(lib, usage_metadata=USAGE)]),
        input="hi",
    ),
    Case(
        "usage on the last chunk",
        lambda lib: lib.chat(["a", _chunk(lib, usage_metadata=USAGE, chunk_position="last")]),
        input="hi",
    ),
    Case(
        "a tool call in one piece",
        lambda lib: lib.chat(
            [_chunk(lib, tool_call_chunks=[{"name": "f", "args": '{"x": 1}', "id": "1", "index": 0}])]
        ),
        input="hi",
    ),
    Case("a tool call in pieces", lambda lib: lib.chat(_pieces_of_call(lib)), input="hi"),
    Case(
        "metadata",
        lambda lib: lib.chat(["a", _chunk(lib, content="b", response_metadata={"finish_reason": "stop"})]),
        input="hi",
    ),
    Case(
        "blocks",
        lambda lib: lib.chat([_chunk(lib, content=[{"type": "text", "text": t, "index": 0}]) for t in "ab"]),
        input="hi",
    ),
    Case("fails at once", lambda lib: lib.chat([Broken("down")]), input="hi"),
    Case("fails later", lambda lib: lib.chat(["a", "b", Broken("down")]), input="hi"),
    Case(
        "answers in turn",
        lambda lib: lib.chat(["a"], ["b", "c"]),
        many=["x", "y", "z"],
        config={"max_concurrency": 1},
    ),
    Case("bound keywords", lambda lib: lib.chat(ANSWER).bind(stop=["x"]), input="hi"),
    Case("a config", lambda lib: lib.chat(ANSWER).with_config(tags=["a"]), input="hi"),
]


@each(CHATS)
def test_chat_models(case, verb, colour):
    compare(case, verb, colour)


CHAINS = [
    Case("prompt", _prompt, input=ASKED),
    Case("prompt and model", lambda lib: _prompt(lib) | lib.chat(ANSWER), input=ASKED),
    Case(
        "prompt, model, parser",
        lambda lib: _prompt(lib) | lib.chat(ANSWER) | lib.StrOutputParser(),
        input=ASKED,
    ),
    Case("model and parser", lambda lib: lib.chat(ANSWER) | lib.StrOutputParser()),
    Case(
        "blocks and parser",
        lambda lib: (
            lib.chat([_chunk(lib, content=[{"type": "text", "text": t, "index": 0}]) for t in "ab"])
            | lib.StrOutputParser()
        ),
    ),
    Case(
        "generators after the parser",
        lambda lib: (
            lib.chat(ANSWER)
            | lib.StrOutputParser()
            | lib.RunnableGenerator(letters, aletters)
            | lib.RunnableGenerator(shout, ashout)
        ),
    ),
    Case(
        "a function after the model", lambda lib: lib.chat(ANSWER) | (lambda m: (type(m).__name__, m.content))
    ),
    Case("a function after the parser", lambda lib: lib.chat(ANSWER) | lib.StrOutputParser() | upper),
    Case(
        "a text prompt",
        lambda lib: lib.PromptTemplate.from_template("{a} {b}") | lib.chat(ANSWER),
        input={"a": 1, "b": 2},
    ),
    Case(
        "dict, prompt, model, parser",
        lambda lib: (
            {"question": lib.RunnablePassthrough(), "who": lambda text: text[::-1]}
            | _prompt(lib)
            | lib.chat(ANSWER)
            | lib.StrOutputParser()
        ),
        input="Why?",
    ),
    Case(
        "models side by side",
        lambda lib: lib.RunnableParallel(
            text=lib.chat(ANSWER) | lib.StrOutputParser(), message=lib.chat(["b", "c"]), other=upper
        ),
        interleaves=True,
    ),
    Case(
        "an answer beside the question",
        lambda lib: lib.RunnablePassthrough.assign(
            answer=_prompt(lib) | lib.chat(ANSWER) | lib.StrOutputParser(), shouted=lambda d: d["who"].upper()
        ),
        input=ASKED,
        interleaves=True,
    ),
    Case(
        "picked from a stream",
        lambda lib: lib.RunnablePassthrough.assign(
            answer=_prompt(lib) | lib.chat(ANSWER) | lib.StrOutputParser()
        ).pick("answer"),
        input=ASKED,
    ),
    Case("missing variable", lambda lib: _prompt(lib) | lib.chat(ANSWER), input={"who": "x"}),
    Case(
        "the model fails",
        lambda lib: _prompt(lib) | lib.chat([Broken("down")]) | lib.StrOutputParser(),
        input=ASKED,
    ),
    Case(
        "the model fails later",
        lambda lib: _prompt(lib) | lib.chat(["a", Broken("down")]) | lib.StrOutputParser(),
        input=ASKED,
    ),
    Case("parser alone", lambda lib: lib.StrOutputParser()),
    Case(
        "parser of a message",
        lambda lib: lib.StrOutputParser(),
        input=lambda lib: lib.AIMessage("x"),
        many=["a"],
    ),
    Case(
        "parser of chunks",
        lambda lib: lib.StrOutputParser(),
        pieces=lambda lib: [
            _chunk(lib, content="a"),
            _chunk(lib),
            _chunk(lib, content="b", chunk_position="last"),
        ],
    ),
]


@each(CHAINS)
def test_models_in_chains(case, verb, colour):
    compare(case, verb, colour)


TEXTS = [
    Case("text", lambda lib: lib.llm(ANSWER), input="hi", pieces=["hi"]),
    Case("messages", lambda lib: lib.llm(ANSWER), input=MESSAGES, pieces=[MESSAGES]),
    Case(
        "prompt, model, parser",
        lambda lib: _prompt(lib) | lib.llm(ANSWER) | lib.StrOutputParser(),
        input=ASKED,
    ),
    Case("fails", lambda lib: lib.llm([Broken("down")]), input="hi"),
    Case("fails later", lambda lib: lib.llm(["a", Broken("down")]), input="hi"),
]


@each(TEXTS)
def test_text_models(case, verb, colour):
    compare(case, verb, colour)


def _streamed(lib: Any, *answer: Any) -> list[Any]:
    return list(lib.chat(answer).stream("hi"))


@pytest.mark.differs("run-ids")
def test_difference_run_ids():
    for lib, prefix, ending in ((OURS, "run-", ""), (PEER, "lc_run--", "-0")):
        chunks = _streamed(lib, "a", "b")
        [run_id] = {chunk.id for chunk in chunks}
        assert uuid.UUID(run_id.removeprefix(prefix)).hex
        whole = lib.chat(["a"]).invoke("hi").id
        assert uuid.UUID(whole.removeprefix(prefix).removesuffix(ending)).hex
        assert whole.startswith(prefix)
        assert whole.endswith(ending)


@pytest.mark.differs("last-chunk-id")
def test_difference_the_last_chunk_has_the_models_own_id():
    ours, peer = (
        [chunk.id for chunk in _streamed(lib, _chunk(lib, content="a", id="m"))] for lib in (OURS, PEER)
    )
    assert ours == ["m", "m"]
    assert peer[0] == "m" != peer[1]


@pytest.mark.differs("estimated-usage")
def test_difference_estimated_usage():
    ours, peer = ([chunk.usage_metadata for chunk in _streamed(lib, "four")] for lib in (OURS, PEER))
    assert peer == [None, None]
    assert ours == [None, {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "estimated": True}]
    assert OURS.chat(["four"]).invoke("hi").usage_metadata.estimated
    assert PEER.chat(["four"]).invoke("hi").usage_metadata is None


@pytest.mark.differs("unfinished-arguments")
def test_difference_unfinished_arguments():
    for lib in (OURS, PEER):
        first, second, third, _ = _streamed(lib, *_pieces_of_call(lib))
        begun = first + second
        assert [call["name"] for call in begun.tool_calls] == ["f"]
        ended = begun + lib.AIMessageChunk(content="", chunk_position="last")
        assert [call["name"] for call in ended.tool_calls] == ([] if lib is OURS else ["f"])
        assert [call["name"] for call in ended.invalid_tool_calls] == (["f"] if lib is OURS else [])
        assert (begun + third).tool_calls == [CALL]
