import asyncio
import copy
import dataclasses
import gc
import logging
import pickle
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from millstream import (
    AIMessageChunk,
    AsyncCallbackHandler,
    BaseCallbackHandler,
    BaseRetriever,
    BaseTool,
    ChatPromptTemplate,
    ConfigError,
    Document,
    GenerationChunk,
    HumanMessage,
    InputError,
    RunnableLambda,
    RunnableParallel,
    StdOutCallbackHandler,
    StreamingStdOutCallbackHandler,
    StrOutputParser,
    UsageMetadata,
    adispatch_custom_event,
    dispatch_custom_event,
    tool,
)
from millstream.callbacks.watcher import HandlerWatcher
from millstream.testing import FakeChatModel, FakeEmbeddings, FakeLLM
from tests.callbacks.recording import RECORDERS, AsyncRecorder, Recorder
from tests.conftest import Colour

both_recorders = pytest.mark.parametrize("kind", RECORDERS, ids=["plain", "async"])


def chain(*answer: Any, **kwargs: Any) -> Any:
    model = FakeChatModel([list(answer or ("a", "b"))], **kwargs)
    return ChatPromptTemplate.from_template("hi {x}") | model | StrOutputParser()


# --- what is told ---------------------------------------------------------------------------------------


@both_recorders
def test_a_chain(colour: Colour, kind: Any) -> None:
    handler = kind()
    assert colour.stream(chain(), {"x": 1}, {"callbacks": [handler]}) == ["a", "b", ""]
    handler.check()
    assert handler.names == [
        "on_chain_start",
        "on_chain_start",
        "on_chain_end",
        "on_chat_model_start",
        "on_llm_new_token",
        "on_chain_start",
        "on_llm_new_token",
        "on_llm_new_token",
        "on_llm_end",
        "on_chain_end",
        "on_chain_end",
    ]
    assert all(type(kwargs["run_id"]) is UUID for _, _, kwargs in handler.calls)
    [((serialized, _), started)] = handler.of("on_chat_model_start")
    assert serialized == {"name": "FakeChatModel", "id": ["millstream", "testing", "fakes", "FakeChatModel"]}
    assert (started["name"], started["tags"]) == ("FakeChatModel", ["seq:step:2"])


@both_recorders
def test_the_tokens_that_it_took(colour: Colour, kind: Any) -> None:
    handler = kind()
    told = AIMessageChunk("b", usage_metadata=UsageMetadata(7, 2))
    colour.stream(chain("a", told), {"x": 1}, {"callbacks": [handler]})
    colour.invoke(chain("a", told), {"x": 1}, {"callbacks": [handler]})
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    for (response,), _ in handler.of("on_llm_end"):
        assert response.llm_output == {"token_usage": usage, "model_name": "FakeChatModel"}
        assert response.generations[0][0].text == "ab"


@both_recorders
def test_the_tokens_that_a_run_took_which_failed(colour: Colour, kind: Any) -> None:
    handler = kind()
    with pytest.raises(ValueError, match="no"):
        colour.stream(chain("a" * 40, ValueError("no")), {"x": 1}, {"callbacks": [handler]})
    handler.check()
    [((error,), kwargs)] = handler.of("on_llm_error")
    assert isinstance(error, ValueError)
    usage = {"prompt_tokens": 1, "completion_tokens": 10, "total_tokens": 11, "estimated": True}
    assert kwargs["response"].llm_output["token_usage"] == usage


def test_a_text_model(colour: Colour) -> None:
    handler = Recorder()
    assert colour.stream(FakeLLM([["a", "b"]]), "q", {"callbacks": [handler]}) == ["a", "b"]
    assert [(args, kwargs["chunk"]) for args, kwargs in handler.of("on_llm_new_token")] == [
        (("a",), GenerationChunk("a")),
        (("b",), GenerationChunk("b")),
    ]
    [((response,), _)] = handler.of("on_llm_end")
    assert response.generations[0][0].text == "ab"


def test_a_model_that_says_nothing(colour: Colour) -> None:
    handler = Recorder()
    assert colour.stream(FakeLLM([[]]), "q", {"callbacks": [handler]}) == []
    assert colour.stream(FakeChatModel([[]]), "q", {"callbacks": [handler]})[-1].content == ""
    handler.check()
    assert [response.generations[0][0].text for (response,), _ in handler.of("on_llm_end")] == ["", ""]


def test_an_input_that_no_model_takes(colour: Colour) -> None:
    handler = Recorder()
    for model in (FakeChatModel(["a"]), FakeLLM(["a"])):
        with pytest.raises(InputError):
            colour.invoke(model, 5, {"callbacks": [handler]})
        with pytest.raises(InputError):
            colour.stream(model, 5, {"callbacks": [handler]})
    assert handler.calls == []


def test_a_run_id_of_the_programs_own(colour: Colour) -> None:
    handler = Recorder()
    colour.invoke(chain(), {"x": 1}, {"callbacks": [handler], "run_id": "mine", "run_name": "all"})
    assert handler.calls[0][2]["run_id"] == handler.calls[1][2]["parent_run_id"] == "mine"
    assert handler.calls[0][2]["name"] == "all"
    known = UUID("0192b6e4-0000-7000-8000-000000000000")
    colour.invoke(chain(), {"x": 1}, {"callbacks": [handler], "run_id": str(known)})
    assert handler.calls[-1][2]["run_id"] == known


def test_blocks_are_given_as_they_are(colour: Colour) -> None:
    handler = Recorder()
    block = {"type": "text", "text": "a", "index": 0}
    colour.stream(FakeChatModel([[AIMessageChunk([block])]]), "q", {"callbacks": [handler]})
    assert [args for args, _ in handler.of("on_llm_new_token")] == [([block],), ("",)]


@both_recorders
@pytest.mark.parametrize("is_async", [False, True], ids=["def", "async def"])
def test_custom_events(colour: Colour, kind: Any, is_async: bool) -> None:
    def tell(text: str) -> str:
        dispatch_custom_event("mine", {"text": text})
        return text

    async def atell(text: str) -> str:
        await adispatch_custom_event("mine", {"text": text})
        dispatch_custom_event("mine", {"text": "plain"})
        return text

    handler = kind()
    step = RunnableLambda(atell if is_async else tell)
    colour.invoke(step, "a", {"callbacks": [handler], "tags": ["t"], "metadata": {"m": 1}})
    handler.check()
    events = handler.of("on_custom_event")
    assert [args for args, _ in events] == [
        ("mine", {"text": "a"}),
        *([("mine", {"text": "plain"})] if is_async else []),
    ]
    run_id = handler.calls[0][2]["run_id"]
    assert all(kwargs == {"run_id": run_id, "tags": ["t"], "metadata": {"m": 1}} for _, kwargs in events)


def test_tools_and_retrievers_have_handlers_of_their_own(colour: Colour) -> None:
    inner = RunnableLambda(str.upper)

    class Docs(BaseRetriever):
        def _get_relevant_documents(self, query: str) -> list[Document]:
            return [Document(page_content=inner.invoke(query))]

    class Shout(BaseTool):
        name = "shout"
        description = "Shout."

        def _run(self, text: str) -> str:
            return inner.invoke(text)

    def shout(text: str) -> str:
        """Shout."""
        return inner.invoke(text)

    of_docs, of_tools = Recorder(), Recorder()
    colour.invoke(Docs(callbacks=[of_docs]), "a")
    assert of_docs.names == ["on_retriever_start", "on_retriever_end"]
    for made in (Shout(callbacks=[of_tools]), tool("shout", callbacks=[of_tools])(shout)):
        colour.invoke(made, {"text": "a"})
    assert of_tools.names == ["on_tool_start", "on_tool_end"] * 2
    [((serialized, input_str), started), _] = of_tools.of("on_tool_start")
    assert (serialized["name"], serialized["description"]) == ("shout", "Shout.")
    assert (input_str, started["inputs"]) == ("{'text': 'a'}", {"text": "a"})
    with pytest.raises(ConfigError):
        Docs(callbacks=["me"])
    with pytest.raises(ConfigError):
        Shout(callbacks="me")


def test_a_stores_retriever_has_handlers(colour: Colour) -> None:
    pytest.importorskip("numpy")
    from millstream import InMemoryVectorStore

    handler = Recorder()
    store = InMemoryVectorStore.from_texts(["a"], FakeEmbeddings())
    colour.invoke(store.as_retriever(callbacks=[handler]), "a")
    assert handler.names == ["on_retriever_start", "on_retriever_end"]


def test_generator_tools_end_with_their_result(colour: Colour) -> None:
    @tool
    def count(n: int) -> Iterator[str]:
        """Count."""
        yield from map(str, range(n))

    handler = Recorder()
    assert "".join(colour.stream(count, {"n": 3}, {"callbacks": [handler]})) == "012"
    assert [args for args, _ in handler.of("on_tool_end")] == [("012",)]


@both_recorders
def test_event_streams_and_handlers_at_once(kind: Any) -> None:
    handler = kind()

    async def read() -> list[str]:
        stream = chain().astream_events({"x": 1}, {"callbacks": [handler]})
        return [event["event"] async for event in stream]

    events = asyncio.run(read())
    handler.check()
    assert len([event for event in events if event == "on_chat_model_stream"]) == 3
    assert len(handler.of("on_llm_new_token")) == 3


# --- who is told ----------------------------------------------------------------------------------------


def test_a_handler_that_is_given_twice_is_told_once(colour: Colour) -> None:
    handler = Recorder()
    step = chain(callbacks=[handler, handler]).with_config(callbacks=[handler])
    colour.invoke(step, {"x": 1}, {"callbacks": [handler, handler]})
    handler.check()
    assert len(handler.of("on_chat_model_start")) == 1


def test_handlers_are_inherited_by_what_functions_call(colour: Colour) -> None:
    inner = chain()
    for step in (
        RunnableLambda(lambda _: inner.invoke({"x": 1})),
        RunnableLambda(lambda _, config: inner.invoke({"x": 1}, config)),
        RunnableLambda(lambda _, config: inner.invoke({"x": 1}, {"callbacks": config["callbacks"]})),
        RunnableLambda(lambda _: inner),
    ):
        handler = Recorder()
        colour.invoke(step, {"x": 1}, {"callbacks": [handler]})
        handler.check()
        assert len(handler.of("on_chain_start")) == 4


def test_a_function_adds_a_handler_for_what_it_calls(colour: Colour) -> None:
    outer, added = Recorder(), Recorder()
    model = FakeChatModel(["a"])

    def ask(text: str, config: Any) -> Any:
        model.invoke(text, config)
        config["callbacks"].add_handler(added)
        return model.invoke(text, config)

    colour.invoke(RunnableLambda(ask) | StrOutputParser(), "q", {"callbacks": [outer]})
    outer.check()
    assert added.names == ["on_chat_model_start", "on_llm_end"]
    assert len(outer.of("on_llm_end")) == 2
    assert added.calls[0][2]["parent_run_id"] == outer.calls[1][2]["run_id"]


def test_handlers_are_added_for_all_that_is_inside_or_not_at_all() -> None:
    def ask(text: str, config: Any) -> str:
        config["callbacks"].add_handler(Recorder(), inherit=False)
        return text

    with pytest.raises(ConfigError, match="all runs inside"):
        RunnableLambda(ask).invoke("q")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_models_that_are_called_take_handlers(is_async: bool) -> None:
    handler = Recorder()
    llm, chat = FakeLLM(["a"]), FakeChatModel(["a"], streaming=True)
    if is_async:
        asyncio.run(llm.agenerate(["q", "r"], callbacks=[handler]))
        asyncio.run(chat.agenerate([[HumanMessage("q")], [HumanMessage("r")]], callbacks=[handler]))
    else:
        assert llm("q", callbacks=[handler]) == "a"
        assert llm.generate(["r"], callbacks=[handler]).generations[0][0].text == "a"
        assert chat([HumanMessage("q")], callbacks=[handler]).text == "a"
        assert chat.generate([[HumanMessage("r")]], callbacks=[handler]).generations[0][0].text == "a"
    handler.check()
    assert len(handler.of("on_llm_start")) == len(handler.of("on_chat_model_start")) == 2
    assert [args[0] for args, _ in handler.of("on_llm_new_token")] == ["a", ""] * 2 or is_async
    assert len(handler.of("on_llm_new_token")) == 4


def test_handlers_and_streaming_of_a_model_may_be_set_later(colour: Colour) -> None:
    handler, model = Recorder(), FakeChatModel([["a", "b"]])
    model.callbacks = [handler]
    colour.invoke(model, "q")
    assert "on_llm_new_token" not in handler.names
    model.streaming = True
    colour.invoke(model, "q")
    assert "on_llm_new_token" in handler.names
    told = len(handler.names)
    model.callbacks = None
    colour.invoke(model, "q")
    assert len(handler.names) == told
    handler.check()


def test_a_config_for_each_input_of_a_batch(colour: Colour) -> None:
    handlers = [Recorder(), Recorder()]
    colour.batch(chain(), [{"x": 1}, {"x": 2}], [{"callbacks": [each]} for each in handlers])
    for number, handler in enumerate(handlers, 1):
        handler.check()
        assert handler.of("on_chain_start")[0][0][1] == {"x": number}


def test_a_handler_that_calls_a_chain_is_not_told_of_it(colour: Colour) -> None:
    inner = chain()

    class Asks(Recorder):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            super().on_llm_end(response, **kwargs)
            self.answer = inner.invoke({"x": 2})

    class AsyncAsks(AsyncRecorder):
        async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            await super().on_llm_end(response, **kwargs)
            self.answer = await inner.ainvoke({"x": 2})

    for handler in (Asks(), AsyncAsks()):
        colour.stream(chain(), {"x": 1}, {"callbacks": [handler]})
        handler.check()
        assert handler.answer == "ab"
        assert len(handler.of("on_llm_end")) == 1


@both_recorders
def test_one_handler_in_many_threads(kind: Any) -> None:
    handler, step = kind(), chain()
    together = threading.Barrier(4)

    def run(number: int) -> None:
        together.wait(10)
        for _ in range(5):
            assert "".join(step.stream({"x": number}, {"callbacks": [handler]})) == "ab"

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.check()
    assert len(handler.of("on_llm_end")) == 20


@both_recorders
def test_branches_and_batches(colour: Colour, kind: Any) -> None:
    handler = kind()
    step = RunnableParallel(a=chain(), b=chain())
    colour.batch(step, [{"x": 1}, {"x": 2}], {"callbacks": [handler]})
    colour.stream(step, {"x": 3}, {"callbacks": [handler]})
    handler.check()
    assert len(handler.of("on_llm_end")) == 6


def test_what_is_no_handler() -> None:
    for wrong in ([print], "me", [Recorder], Recorder()):
        with pytest.raises(ConfigError):
            chain().invoke({"x": 1}, {"callbacks": wrong})


def test_each_handler_has_one_watcher() -> None:
    @dataclasses.dataclass
    class Equal(BaseCallbackHandler):
        name: str

    one, other = Equal("a"), Equal("a")
    assert one == other
    assert one.watcher() is one.watcher()
    assert one.watcher() is not other.watcher()
    used = StdOutCallbackHandler()
    used.watcher()
    for copied in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(used))):
        assert copied.watcher().handler is copied


def test_a_handler_that_is_copied_while_it_is_told() -> None:
    class Copies(Recorder):
        raise_error = True

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            copied.append(copy.copy(self).watcher())
            self._lock = None  # type: ignore[assignment]
            copied.append(copy.deepcopy(self).watcher())
            self._lock = threading.Lock()

    copied: list[HandlerWatcher] = []
    FakeChatModel(["a"]).invoke("q", {"callbacks": [Copies()]})
    assert [len(each._runs) for each in copied] == [0, 0]


def test_threads_that_are_first_at_once_find_one_watcher(monkeypatch: Any) -> None:
    both, found = threading.Barrier(2), []

    class Slow(HandlerWatcher):
        def __init__(self, handler: Any) -> None:
            both.wait(10)
            super().__init__(handler)

    monkeypatch.setattr("millstream.callbacks.handlers.HandlerWatcher", Slow)
    handler = Recorder()
    threads = [threading.Thread(target=lambda: found.append(handler.watcher())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]


def test_a_handler_may_have_a_watcher_of_its_own(colour: Colour) -> None:
    class Watches(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self._watcher = "of files"

    handler = Watches()
    colour.invoke(chain(), {"x": 1}, {"callbacks": [handler]})
    handler.check()
    assert handler._watcher == "of files"


# --- what it costs --------------------------------------------------------------------------------------


def test_who_does_not_want_tokens_is_not_asked_for_each(colour: Colour, monkeypatch: Any) -> None:
    ended: list[Any] = []

    class Ends(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            ended.append(response)

    class Ignores(Recorder):
        ignore_llm = True

    def streamed(*_: Any) -> None:
        raise AssertionError("a token was told")

    monkeypatch.setattr(HandlerWatcher, "streamed", streamed)
    colour.stream(chain(), {"x": 1}, {"callbacks": [Ends(), Ignores()]})
    colour.invoke(chain(), {"x": 1}, {"callbacks": [Recorder()]})  # which does not stream
    assert len(ended) == 1


def test_methods_that_nobody_wrote_are_not_called() -> None:
    threads: list[str] = []

    class Ends(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            threads.append(threading.current_thread().name)

    for handler in (Ends(), AsyncCallbackHandler(), BaseCallbackHandler()):
        assert handler._written("on_chain_start") is None
        asyncio.run(chain().ainvoke({"x": 1}, {"callbacks": [handler]}))
    assert len(threads) == 1


# --- in which thread ------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_inline", [False, True])
def test_a_plain_handler_has_a_thread_of_its_own_unless_it_runs_inline(run_inline: bool) -> None:
    threads: set[int] = set()

    class Notes(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            threads.add(threading.get_ident())

    handler = Notes()
    handler.run_inline = run_inline

    async def run() -> None:
        async for _ in chain().astream({"x": 1}, {"callbacks": [handler]}):
            pass

    asyncio.run(run())
    assert (threads == {threading.get_ident()}) == run_inline
    threads.clear()
    list(chain().stream({"x": 1}, {"callbacks": [handler]}))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_a_slow_handler_holds_its_run_up_and_not_the_loop(is_async: bool) -> None:
    async def run() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()
        may_return = threading.Event()
        loop = asyncio.get_running_loop()

        class Slow(BaseCallbackHandler):
            def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
                loop.call_soon_threadsafe(begun.set)
                assert may_return.wait(10)

        class AsyncSlow(AsyncCallbackHandler):
            async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
                begun.set()
                await go_on.wait()

        read: list[Any] = []

        async def consume() -> None:
            config: Any = {"callbacks": [AsyncSlow() if is_async else Slow()]}
            async for item in chain().astream({"x": 1}, config):
                read.append(item)

        task = asyncio.create_task(consume())
        await asyncio.wait_for(begun.wait(), 10)  # the loop is free
        assert read == []
        may_return.set()
        go_on.set()
        await task
        assert read == ["a", "b", ""]

    asyncio.run(run())


def test_a_plain_method_that_hands_on_a_coroutine(colour: Colour) -> None:
    told: list[str] = []

    class Hands(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> Any:
            async def later() -> None:
                await asyncio.sleep(0)
                told.append("end")

            return later()

    colour.invoke(chain(), {"x": 1}, {"callbacks": [Hands()]})
    assert told == ["end"]


# --- cut short ------------------------------------------------------------------------------------------


@both_recorders
@pytest.mark.parametrize("way", ["close", "break", "error of the reader's"])
def test_a_stream_that_is_left(kind: Any, way: str) -> None:
    handler = kind()
    stream = chain().stream({"x": 1}, {"callbacks": [handler]})
    if way == "close":
        next(stream)
        stream.close()
    elif way == "break":
        for _ in stream:
            break
        del stream
    else:
        with pytest.raises(KeyError):
            for _ in stream:
                raise KeyError
        del stream
    handler.check()
    errors = [args[0] for name, args, _ in handler.calls if name.endswith("_error")]
    assert [type(error) for error in errors] == [GeneratorExit] * 3
    assert handler.names[-3:] == ["on_llm_error", "on_chain_error", "on_chain_error"]


@both_recorders
@pytest.mark.leaks
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python's own complaint
def test_a_run_whose_loop_is_gone_has_its_end(kind: Any, caplog: Any) -> None:
    handler = kind()
    loop = asyncio.new_event_loop()
    stream = chain().astream({"x": 1}, {"callbacks": [handler]})
    loop.run_until_complete(anext(stream))
    loop.close()
    del stream
    gc.collect()
    handler.check()
    assert handler.names[-3:] == ["on_llm_error", "on_chain_error", "on_chain_error"]
    assert caplog.records == []


@pytest.mark.leaks
@pytest.mark.filterwarnings("ignore")  # Python's own complaints
def test_nothing_is_kept_of_what_a_loop_left_behind() -> None:
    handler = Recorder()

    async def peek() -> None:
        async for _ in chain().astream({"x": 1}, {"callbacks": [handler]}):
            break

    for _ in range(3):
        # It is closed before it comes to close what the `break` has left.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(peek())
        loop.close()
    gc.collect()
    watcher = handler.watcher()
    assert (len(watcher._runs), len(watcher._by_id)) == (0, 0)


@both_recorders
@pytest.mark.parametrize("way", ["aclose", "break", "cancel"])
def test_an_async_stream_that_is_left(kind: Any, way: str) -> None:
    handler = kind()
    config: Any = {"callbacks": [handler]}

    async def run() -> None:
        if way == "cancel":
            read = asyncio.Event()

            async def consume() -> None:
                async for _ in chain("a", "b", delay=0.0).astream({"x": 1}, config):
                    read.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(consume())
            await read.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif way == "aclose":
            stream = chain().astream({"x": 1}, config)
            await anext(stream)
            await stream.aclose()
        else:
            async for _ in chain().astream({"x": 1}, config):
                break
        while len([name for name in handler.names if name.endswith("_error")]) < 3:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(run(), 10))
    handler.check()


@pytest.mark.parametrize("method", ["on_chain_start", "on_llm_new_token", "on_llm_end", "on_chain_end"])
def test_a_cancel_while_a_handler_is_told(method: str) -> None:
    """The others are told all the same, and every start has its end."""

    async def run() -> None:
        told = asyncio.Event()

        async def wait(self: Any, *_: Any, **__: Any) -> None:
            told.set()
            await asyncio.Event().wait()

        waits = type("Waits", (AsyncCallbackHandler,), {method: wait})()
        config: Any = {"callbacks": [before, waits, after]}

        async def consume() -> None:
            async for _ in chain().astream({"x": 1}, config):
                pass

        task = asyncio.create_task(consume())
        await told.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before, after = Recorder(), AsyncRecorder()
    asyncio.run(asyncio.wait_for(run(), 10))
    before.check()
    after.check()
    assert before.names[-1].endswith(("_error", "_end"))


# --- handlers that raise --------------------------------------------------------------------------------


def raising(method: str, is_async: bool = False, **attributes: Any) -> Any:
    def fail(self: Any, *_: Any, **__: Any) -> None:
        raise KeyError("mine")

    async def afail(self: Any, *_: Any, **__: Any) -> None:
        raise KeyError("mine")

    base = AsyncCallbackHandler if is_async else BaseCallbackHandler
    return type("Raises", (base,), {method: afail if is_async else fail, **attributes})()


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("run_inline", [False, True])
def test_what_a_handler_raises_is_logged_once(
    colour: Colour, is_async: bool, run_inline: bool, caplog: Any
) -> None:
    handler = raising("on_llm_new_token", is_async, run_inline=run_inline)
    for _ in range(2):
        assert colour.stream(chain(), {"x": 1}, {"callbacks": [handler]}) == ["a", "b", ""]
    [logged] = [record for record in caplog.records if record.name == "millstream"]
    assert logged.levelno == logging.WARNING
    assert "Raises.on_llm_new_token" in logged.getMessage()
    assert logged.exc_info[0] is KeyError


METHODS_OF_A_CHAIN = [
    "on_chain_start",
    "on_chat_model_start",
    "on_llm_new_token",
    "on_llm_end",
    "on_chain_end",
]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("method", METHODS_OF_A_CHAIN)
def test_what_a_handler_raises_ends_the_run_if_it_says_so(
    colour: Colour, method: str, is_async: bool, caplog: Any
) -> None:
    before, after = Recorder(), AsyncRecorder()
    handler = raising(method, is_async, raise_error=True)
    with pytest.raises(KeyError, match="mine"):
        colour.stream(chain(), {"x": 1}, {"callbacks": [before, handler, after]})
    before.check()
    after.check()
    assert before.names[-1] in ("on_chain_error", "on_chain_end")
    if method == "on_chain_start":  # nothing began
        assert after.calls == []
    else:
        assert after.names[-1] == "on_chain_error"
    assert caplog.records == []


def test_what_a_handler_raises_of_an_error(colour: Colour) -> None:
    after = Recorder()
    config = {"callbacks": [raising("on_llm_error", raise_error=True), after]}
    with pytest.raises(KeyError, match="mine") as caught:
        colour.invoke(chain(ValueError("no")), {"x": 1}, config)
    assert isinstance(caught.value.__context__, ValueError)
    after.check()
    assert isinstance(after.of("on_llm_error")[0][0][0], ValueError)


def test_a_custom_event_that_a_handler_does_not_like(colour: Colour, caplog: Any) -> None:
    def tell(text: str) -> str:
        dispatch_custom_event("mine", text)
        return text

    handler = raising("on_custom_event")
    assert colour.invoke(RunnableLambda(tell), "a", {"callbacks": [handler]}) == "a"
    assert "on_custom_event" in caplog.text
    handler.raise_error = True
    with pytest.raises(KeyError, match="mine"):
        colour.invoke(RunnableLambda(tell), "a", {"callbacks": [handler]})


# --- retries --------------------------------------------------------------------------------------------


@both_recorders
def test_retries(colour: Colour, kind: Any) -> None:
    failures = [ValueError("1"), ValueError("2")]

    def attempt(text: str) -> str:
        if failures:
            raise failures.pop()
        return text

    handler = kind()
    step = RunnableLambda(attempt).with_retry(wait_exponential_jitter=False)
    assert colour.stream(step, "a", {"callbacks": [handler]}) == ["a"]
    handler.check()
    states = [args[0] for args, _ in handler.of("on_retry")]
    assert [state.attempt_number for state in states] == [1, 2]
    assert [str(state.outcome.exception()) for state in states] == ["2", "1"]
    assert all(state.outcome.failed for state in states)


# --- handlers that print --------------------------------------------------------------------------------


def test_tokens_are_printed_as_they_come(colour: Colour, capsys: Any) -> None:
    blocks = AIMessageChunk([{"type": "text", "text": "c", "index": 0}])
    handler = StreamingStdOutCallbackHandler()
    model = FakeChatModel([["a", "b", blocks]], streaming=True, callbacks=[handler])
    colour.invoke(model, "q")
    assert capsys.readouterr().out == "abc"
    colour.invoke(FakeChatModel(["abc"], callbacks=[handler]), "q")
    assert capsys.readouterr().out == ""
    colour.stream(FakeLLM([["a", "b"]], callbacks=[handler]), "q")
    assert capsys.readouterr().out == "ab"


def test_chains_are_printed(colour: Colour, capsys: Any) -> None:
    def add(a: int) -> int:
        """Add."""
        return a + 1

    step = (tool(add) | RunnableLambda(str)).with_config(run_name="sum")
    colour.invoke(step, {"a": 1}, {"callbacks": [StdOutCallbackHandler("green")]})
    assert capsys.readouterr().out == (
        "\n\n> Entering new sum chain...\n2\n"
        "\n\n> Entering new str chain...\n\n> Finished chain.\n\n> Finished chain.\n"
    )
    with pytest.raises(ConfigError, match="purple"):
        StdOutCallbackHandler("purple")


def test_a_terminal_is_shown_colors(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    handler = StdOutCallbackHandler("red")
    handler.on_tool_end("done")
    handler.on_chain_end(None)
    assert capsys.readouterr().out == "\033[31;1mdone\033[0m\n\033[1m\n> Finished chain.\033[0m\n"
