"""Handlers beside langchain-core's: which methods are called, in which order, with which arguments."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from langchain_core.outputs import GenerationChunk

from millstream.testing import FakeChatModel, FakeLLM
from tests.peer.compare import COLOURS, run_in
from tests.peer.libraries import OURS, PEER, Library, PeerChat, PeerLLM, Turns
from tests.peer.normal import Plain

METHODS = sorted(name for name in vars(OURS.AsyncCallbackHandler) if name.startswith("on_"))

# What langchain-core gives beside, and what ours does (`handler-arguments`).
_BESIDE = {
    "serialized",
    "name",
    "invocation_params",
    "options",
    "batch_size",
    "defers_inputs",
    "color",
    "response",
}
_OF_THE_PEER = ("ls_", "lc_")


class Record:
    """What handlers were told, as plain values: runs are numbered as they appear."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.raw: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._plain = Plain()
        self._runs: dict[Any, int] = {}

    def note(self, who: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.raw.append((method, args, kwargs))
        assert isinstance(kwargs["run_id"], UUID)
        run, parent = (self._number(kwargs.pop(key, None)) for key in ("run_id", "parent_run_id"))
        if "token" in kwargs:  # by place or by name: a handler cannot tell
            args = (kwargs.pop("token"),)
        if method.endswith("_start"):
            serialized, *args = args  # type: ignore[assignment]
            kwargs["run_name"] = kwargs.get("name") or serialized["name"]
        told = {key: self._value(value) for key, value in kwargs.items() if key not in _BESIDE}
        if method.endswith("_error"):
            told.pop("tool_call_id", None)
        if told.get("run_type", ...) is None:
            del told["run_type"]
        # The order of tags is another one where they were merged (`tag-order`).
        told["tags"] = sorted(told.pop("tags", None) or [])
        if "metadata" in told:
            shown = told["metadata"].items()
            told["metadata"] = {key: item for key, item in shown if not key.startswith(_OF_THE_PEER)}
        self.calls.append((who, method, run, parent, [self._value(arg) for arg in args], told))

    def _number(self, run_id: Any) -> int | None:
        return None if run_id is None else self._runs.setdefault(run_id, len(self._runs))

    def _value(self, value: Any) -> Any:
        if hasattr(value, "generations"):
            [[generation]] = value.generations
            return self._value(generation)
        if hasattr(value, "generation_info"):
            message = self._plain(value.message) if hasattr(value, "message") else {}
            # Theirs leaves the last chunk out (`events-whole-answers`).
            return value.text, {key: item for key, item in message.items() if key != "chunk_position"}
        if hasattr(value, "page_content"):
            return value.page_content, value.metadata
        if isinstance(value, list):
            return [self._value(each) for each in value]
        value = self._plain(value)
        if isinstance(value, dict) and "class" in value:
            value.pop("chunk_position", None)
        return value


def recorder(lib: Library, record: Record, is_async: bool = False, who: str = "", **attributes: Any) -> Any:
    """A handler of the library's that notes each call of a method."""

    def noting(name: str) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> None:
            record.note(who, name, args, kwargs)

        async def amethod(self: Any, *args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            record.note(who, name, args, kwargs)

        return amethod if is_async else method

    base = lib.AsyncCallbackHandler if is_async else lib.BaseCallbackHandler
    methods = {name: noting(name) for name in METHODS}
    return type("Recorder", (base,), {**methods, **attributes})()


class TellingLLM(PeerLLM):
    """A text model of langchain-core's as providers write it: it tells of its tokens itself."""

    def _stream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[GenerationChunk]:
        for chunk in super()._stream(prompt):
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


class StreamingChat(PeerChat):
    """A chat model of langchain-core's that knows `streaming`."""

    streaming: bool = False


def llm(lib: Library, *answers: Any) -> Any:
    return FakeLLM(answers) if lib is OURS else TellingLLM(turn=Turns(answers), name="FakeLLM")


def chat(lib: Library, *answers: Any, **kwargs: Any) -> Any:
    if lib is OURS:
        return FakeChatModel(answers, **kwargs)
    return StreamingChat(turn=Turns(answers), name="FakeChatModel", **kwargs)


def prompt(lib: Library) -> Any:
    return lib.ChatPromptTemplate.from_template("hi {x}")


def shout(text: Any) -> str:
    return getattr(text, "content", text).upper()


async def ashout(text: Any) -> str:
    return shout(text)


def broken(_: Any) -> Any:
    raise ValueError("no")


def asks(lib: Library) -> Any:
    inner = chat(lib, ["a", "b"])
    return lib.RunnableLambda(lambda text: inner.invoke(text).content)


def asks_with_config(lib: Library) -> Any:
    inner = chat(lib, ["a", "b"])

    def ask(text: str, config: Any) -> str:
        return inner.invoke(text, config).content

    return lib.RunnableLambda(ask)


def streams(lib: Library) -> Any:
    inner = prompt(lib) | chat(lib, ["a", "b"]) | lib.StrOutputParser()
    return lib.RunnableLambda(lambda text: "".join(inner.stream({"x": text})))


def batches(lib: Library) -> Any:
    double = lib.RunnableLambda(lambda number: number * 2)
    return lib.RunnableLambda(lambda number: double.batch([number, number + 1], {"max_concurrency": 1}))


def add(a: int, b: int = 2) -> int:
    """Add."""
    return a + b


def fails(a: int) -> int:
    """Fail."""
    raise ValueError("no")


def retriever(lib: Library) -> Any:
    class Docs(lib.BaseRetriever):  # type: ignore[misc]
        def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Any]:
            return [lib.Document(page_content=query)]

    return Docs(tags=["r"])


def tells(lib: Library) -> Any:
    def tell(text: str) -> str:
        lib.dispatch_custom_event("mine", {"text": text})
        return text

    async def atell(text: str, config: Any) -> str:
        await lib.adispatch_custom_event("mine", {"text": text}, config=config)
        return text

    return lib.RunnableLambda(tell, atell).with_config(tags=["own"])


CALL = {"type": "tool_call", "name": "add", "id": "c", "args": {"a": 1}}

CASES: dict[str, tuple[Any, Any]] = {
    "a chain": (lambda lib: prompt(lib) | chat(lib, ["a", " ", "b"]) | lib.StrOutputParser(), {"x": 1}),
    "a chat model": (lambda lib: chat(lib, ["a", "b"]), "q"),
    "blocks": (
        lambda lib: chat(lib, [lib.AIMessageChunk(content=[{"type": "text", "text": "a", "index": 0}])]),
        "q",
    ),
    "a text model": (lambda lib: llm(lib, ["a", "b"]), "q"),
    "a text model in a chain": (lambda lib: prompt(lib) | llm(lib, ["a", "b"]) | shout, {"x": 1}),
    "a prompt": (prompt, {"x": 1}),
    "functions in a row": (lambda lib: lib.RunnableLambda(shout) | ashout_for(lib) | str.lower, "a"),
    "a nested chain": (
        lambda lib: (
            lib.RunnableLambda(shout) | (lib.RunnableLambda(str.lower) | shout).with_config(run_name="in")
        ),
        "a",
    ),
    "one branch": (lambda lib: lib.RunnableParallel(a=prompt(lib) | chat(lib, ["a"])), {"x": 1}),
    "assigning": (lambda lib: lib.RunnablePassthrough.assign(y=lambda given: given["x"] + 1), {"x": 1}),
    "a model inside a function": (asks, "q"),
    "a model inside a function that hands its config on": (asks_with_config, "q"),
    "a chain inside a function": (streams, "q"),
    "a batch inside a function": (batches, 1),
    "a function that returns a chain": (lambda lib: lib.RunnableLambda(lambda _: asks(lib)), "q"),
    "a tool": (lambda lib: lib.tool(add), {"a": 1}),
    "a tool with one text": (lambda lib: lib.tool("say")(lambda_with_docs), "hello"),
    "a tool that a model calls": (lambda lib: lib.tool(add), CALL),
    "a tool that fails": (lambda lib: lib.tool(fails), {"a": 1}),
    "a retriever": (retriever, "q"),
    "a retriever in a chain": (lambda lib: lib.RunnableLambda(shout) | retriever(lib), "q"),
    "a chat model that fails": (lambda lib: prompt(lib) | chat(lib, ["a", ValueError("no")]), {"x": 1}),
    "a text model that fails": (lambda lib: llm(lib, ["a", ValueError("no")]), "q"),
    "a function that fails": (lambda lib: lib.RunnableLambda(shout) | broken | shout, "q"),
    "a model that fails inside a function": (
        lambda lib: lib.RunnableLambda(lambda text: chat(lib, [ValueError("no")]).invoke(text)),
        "q",
    ),
    "custom events": (tells, "a"),
    "names, tags and metadata": (
        lambda lib: (
            prompt(lib).with_config(run_name="P", tags=["t1"], metadata={"m": 1})
            | chat(lib, ["a"]).with_config({"tags": ["t2"]})
            | lib.StrOutputParser().with_config(run_name="S")
        ).with_config(run_name="all", tags=["t3"], metadata={"n": 2}),
        {"x": 1},
    ),
    "bound keywords": (lambda lib: chat(lib, ["a"]).bind(stop=["x"]) | lib.StrOutputParser(), "q"),
}


def ashout_for(lib: Library) -> Any:
    return lib.RunnableLambda(shout, ashout)


def lambda_with_docs(text: str) -> str:
    """Say it."""
    return text


def told(
    lib: Library,
    step: Any,
    input: Any,
    verb: str,
    colour: Any,
    config: Any,
    error: type[Exception] = ValueError,
) -> bool:
    """Run a step; whether it failed."""

    def run() -> None:
        step.invoke(input, config) if verb == "invoke" else list(step.stream(input, config))

    async def arun() -> None:
        if verb == "invoke":
            await step.ainvoke(input, config)
        else:
            async for _ in step.astream(input, config):
                pass

    try:
        run_in(colour if lib is OURS or colour == "async" else "sync", run, arun)
    except error:
        return True
    return False


def story(lib: Library, name: str, verb: str, colour: Any, is_async: bool) -> tuple[list[Any], bool]:
    build, input = CASES[name]
    record = Record()
    config = {"callbacks": [recorder(lib, record, is_async)], "tags": ["T"], "metadata": {"k": 1}}
    failed = told(lib, build(lib), input, verb, colour, config)
    return record.calls, failed


@pytest.mark.differs("handler-arguments")
@pytest.mark.parametrize("is_async", [False, True], ids=["plain handler", "async handler"])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", CASES)
def test_what_a_handler_is_told(name, verb, colour, is_async):
    ours, peer = (story(lib, name, verb, colour, is_async) for lib in (OURS, PEER))
    assert ours == peer
    assert ours[1] == ("fail" in name)
    assert len(ours[0]) >= 2


# Steps that know their input when they begin, in the peer only; and those whose inner runs lose their parent.
CHOOSING: dict[str, Any] = {
    "a branch": lambda lib: lib.RunnableBranch((lambda text: text == "a", shout), str.lower),
    "a fallback that is not needed": (
        lambda lib: lib.RunnableLambda(shout).with_fallbacks([lib.RunnableLambda(str.lower)])
    ),
    "a fallback": lambda lib: lib.RunnableLambda(broken).with_fallbacks([lib.RunnableLambda(shout)]),
}


def _run(lib: Library, step: Any, verb: str, colour: Any, input: Any = "a", **config: Any) -> Record:
    record = Record()
    told(lib, step, input, verb, colour, {"callbacks": [recorder(lib, record)], **config})
    return record


@pytest.mark.differs("handler-inputs", "handler-parents")
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", CHOOSING)
def test_difference_steps_that_choose(name, verb, colour):
    ours, peer = (_run(lib, CHOOSING[name](lib), verb, colour).calls for lib in (OURS, PEER))
    assert [call[1:3] for call in ours] == [call[1:3] for call in peer]
    for one, other in zip(ours, peer, strict=True):
        _, method, run, parent, args, more = other
        if "fallback" in name and verb == "invoke" and parent is None and run:
            parent = 0
        if verb == "stream" and run == 0:
            args = [{"input": ""}] if method.endswith("_start") else args
            more = more if method.endswith("_start") else {**more, "inputs": "a"}
        assert one == ("", method, run, parent, args, more)
    assert ours != peer or (name, verb) == ("a branch", "invoke")


AT_ONCE: dict[str, tuple[Any, Any]] = {
    "two branches": (
        lambda lib: lib.RunnableParallel(a=prompt(lib) | chat(lib, ["a"]), b=lambda given: given["x"]),
        {"x": 1},
    ),
    "branches in branches": (
        lambda lib: lib.RunnableParallel(a=lib.RunnableParallel(c=shout, d=str.lower), b=chat(lib, ["a"])),
        "x",
    ),
}


def by_run(calls: list[tuple[Any, ...]]) -> list[Any]:
    """The calls of each run, without its number: which run comes first is chance."""
    runs: dict[Any, list[Any]] = {}
    for _, method, run, _, args, more in calls:
        runs.setdefault(run, []).append((method, _nameless(args), _nameless(more)))
    return sorted(runs.values(), key=repr)


def _nameless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key == "id" else _nameless(item) for key, item in value.items()}
    return [_nameless(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", AT_ONCE)
def test_runs_at_once(name, verb, colour):
    build, input = AT_ONCE[name]
    ours, peer = (_run(lib, build(lib), verb, colour, input).calls for lib in (OURS, PEER))
    assert by_run(ours) == by_run(peer)
    # Each run lies inside the one around it.
    for run, parent in {(call[2], call[3]) for call in ours if call[3] is not None}:
        inside = [place for place, call in enumerate(ours) if call[2] == run]
        around = [place for place, call in enumerate(ours) if call[2] == parent]
        assert around[0] < inside[0] <= inside[-1] < around[-1]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_batches(is_async):
    stories = []
    for lib in (OURS, PEER):
        record, step = Record(), lib.RunnableLambda(shout) | str.lower
        config = {"callbacks": [recorder(lib, record)], "max_concurrency": 1}
        asyncio.run(step.abatch(["a", "b"], config)) if is_async else step.batch(["a", "b"], config)
        stories.append(record.calls)
    # With one at a time, theirs runs the first step of all before the second of any.
    assert by_run(stories[0]) == by_run(stories[1])


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("streaming", [False, True])
def test_streaming_models_stream_to_handlers_when_they_are_asked_for_an_answer(streaming, colour):
    stories = []
    for lib in (OURS, PEER):
        record = Record()
        model = chat(lib, ["a", "b"], streaming=streaming, callbacks=[recorder(lib, record)])
        told(lib, model | lib.StrOutputParser(), "q", "invoke", colour, None)
        stories.append(record)
    ours, peer = stories
    assert [call[1] for call in ours.calls] == [call[1] for call in peer.calls]
    tokens = [args[0] for method, args, _ in ours.raw if method == "on_llm_new_token"]
    assert tokens == (["a", "b", ""] if streaming else [])
    assert ours.calls[:-1] == peer.calls[:-1]
    assert ours.calls[-1][4][0][0] == peer.calls[-1][4][0][0] == "ab"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_handlers_of_a_model_are_its_own_and_those_of_a_call_are_inherited(verb, colour):
    stories = []
    for lib in (OURS, PEER):
        record = Record()

        def given(who: str, lib: Any = lib, record: Any = record) -> Any:
            return recorder(lib, record, who=who)

        both = given("both")
        model = chat(lib, ["a"], callbacks=[given("model"), both])
        bound = lib.RunnableLambda(shout).with_config(callbacks=[given("bound")])
        step = (bound | model | lib.StrOutputParser()).with_config(callbacks=[given("chain")])
        told(lib, step, "q", verb, colour, {"callbacks": [given("call"), both]})
        # Whose turn comes first at one moment is another order; each handler's own is the same.
        who = ("both", "model", "bound", "chain", "call")
        stories.append({name: [call[1:] for call in record.calls if call[0] == name] for name in who})
    ours, peer = stories
    assert ours == peer
    assert len(ours["bound"]) == 2
    assert len(ours["chain"]) == len(ours["call"]) == len(ours["both"]) > len(ours["model"]) > 1


@pytest.mark.differs("handlers-that-raise")
@pytest.mark.parametrize("is_async", [False, True], ids=["plain handler", "async handler"])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("raise_error", [False, True])
@pytest.mark.parametrize("method", ["on_chain_start", "on_chat_model_start", "on_llm_end", "on_chain_end"])
def test_handlers_that_raise(method, raise_error, colour, is_async):
    stories = []
    for lib in (OURS, PEER):
        record = Record()
        handler = recorder(lib, record, is_async, raise_error=raise_error)

        def fail(*_: Any, **__: Any) -> None:
            raise KeyError("mine")

        async def afail(*_: Any, **__: Any) -> None:
            raise KeyError("mine")

        setattr(type(handler), method, afail if is_async else fail)
        step = prompt(lib) | chat(lib, ["a"]) | lib.StrOutputParser()
        failed = told(lib, step, {"x": 1}, "invoke", colour, {"callbacks": [handler]}, KeyError)
        stories.append((failed, [call[1:3] for call in record.calls]))
    (failed, ours), (peer_failed, peer) = stories
    assert failed == raise_error
    if peer_failed == failed:
        # Theirs leaves a run whose start raised without an end.
        ends = {"on_chain_start": ("on_chain_error", 0), "on_chat_model_start": ("on_llm_error", 2)}
        if raise_error and method in ends:
            ours.remove(ends[method])
        assert ours == peer
    else:
        # There, what an async handler raises is logged only.
        assert is_async
        assert colour != "async"


@pytest.mark.differs("handlers-and-retries")
@pytest.mark.parametrize("colour", COLOURS)
def test_difference_retries(colour):
    def flaky(failures: list[Exception]) -> Any:
        def attempt(text: str) -> str:
            if failures:
                raise failures.pop()
            return text

        return attempt

    stories = []
    for lib in (OURS, PEER):
        attempts = lib.RunnableLambda(flaky([ValueError("1"), ValueError("2")]))
        step = attempts.with_retry(wait_exponential_jitter=False)
        stories.append(_run(lib, step, "invoke", colour))
    ours, peer = stories
    assert [call for call in ours.calls if call[1] != "on_retry"] == peer.calls
    retries = [args[0] for method, args, _ in ours.raw if method == "on_retry"]
    assert [(each.attempt_number, str(each.outcome.exception())) for each in retries] == [(1, "2"), (2, "1")]
    assert [call[2] for call in ours.calls if call[1] == "on_retry"] == [0, 0]


@pytest.mark.differs("handlers-cut-short")
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_difference_a_stream_that_is_left(is_async):
    stories = []
    for lib in (OURS, PEER):
        record = Record()
        step = prompt(lib) | chat(lib, ["a", "b", "c"]) | lib.StrOutputParser()
        config = {"callbacks": [recorder(lib, record)]}

        async def leave(step: Any = step, config: Any = config) -> None:
            stream = step.astream({"x": 1}, config)
            await anext(stream)
            await stream.aclose()

        if is_async:
            asyncio.run(leave())
        else:
            stream = step.stream({"x": 1}, config)
            next(stream)
            stream.close()
        stories.append([call[1] for call in record.calls])
    ours, peer = stories
    assert ours[-3:] == ["on_llm_error", "on_chain_error", "on_chain_error"]
    assert ours.count("on_llm_new_token") == 1
    if not is_async:  # the model writes on, and nobody is told of an error
        assert peer.count("on_llm_new_token") == 4
        assert not any("error" in method for method in peer)


IGNORABLE = ("llm", "chat_model", "chain", "agent", "retriever", "custom_event")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ignored", IGNORABLE)
def test_what_a_handler_ignores(ignored, colour):
    stories = []
    for lib in (OURS, PEER):
        record = Record()
        handler = recorder(lib, record, **{f"ignore_{ignored}": True})
        step = (
            retriever(lib)
            | (lambda found: {"text": found[0].page_content})
            | lib.tool("say")(lambda_with_docs)
            | chat(lib, ["a"])
            | shout
            | llm(lib, ["b"])
            | tells(lib)
        )
        told(lib, step, "q", "invoke", colour, {"callbacks": [handler]})
        stories.append(record.calls)
    ours, peer = stories
    assert ours == peer
    assert len(ours) > 5


@pytest.mark.parametrize("is_async", [False, True], ids=["plain handler", "async handler"])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("written", [False, True], ids=["not written", "raises NotImplementedError"])
def test_chat_models_are_told_as_text_models_to_handlers_that_know_these_only(written, colour, is_async):
    stories = []
    for lib in (OURS, PEER):
        record = Record()
        handler = recorder(lib, record, is_async)

        def no(self: Any, serialized: Any, messages: Any, **_: Any) -> None:
            raise NotImplementedError

        async def ano(self: Any, serialized: Any, messages: Any, **_: Any) -> None:
            raise NotImplementedError

        if written:
            type(handler).on_chat_model_start = ano if is_async else no
        else:
            del type(handler).on_chat_model_start
        told(lib, prompt(lib) | chat(lib, ["a"]), {"x": 1}, "invoke", colour, {"callbacks": [handler]})
        stories.append(record.calls)
    ours, peer = stories
    assert ours == peer
    assert [call[4] for call in ours if call[1] == "on_llm_start"] == [[["Human: hi 1"]]]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["BaseCallbackHandler", "AsyncCallbackHandler"])
def test_methods_have_the_same_parameters(kind, name):
    ours, peer = (getattr(getattr(lib, kind), name) for lib in (OURS, PEER))
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(peer)
    known = [
        {each.name: (each.kind, each.default) for each in inspect.signature(method).parameters.values()}
        for method in (ours, peer)
    ]
    # Some of theirs name `tags` as well; here it is one of the other keywords.
    assert known[0] == {key: known[1][key] for key in known[1] if key != "tags" or key in known[0]}


def test_all_methods_and_attributes_are_there():
    missing = {name for name in dir(PEER.BaseCallbackHandler) if name.startswith("on_")} - set(METHODS)
    assert missing == {"on_stream_event"}
    assert {name for name in dir(PEER.BaseCallbackHandler) if name.startswith("ignore_")} <= set(
        dir(OURS.BaseCallbackHandler)
    )
