"""What one writes to be told of runs: a class with the methods one wants to have called.

A method that is not written costs nothing: the watcher does not call those of the classes here.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from millstream.callbacks.retry_state import RetryState
from millstream.callbacks.watcher import HandlerWatcher
from millstream.documents import Document
from millstream.messages import BaseMessage
from millstream.outputs import ChatGenerationChunk, GenerationChunk, LLMResult

# Where a handler keeps its watcher: under a name that no subclass has for something else.
_WATCHER = "_millstream_watcher"


class BaseCallbackHandler:
    """Is told what happens in runs, by the methods that a subclass writes: `def` or `async def`, in any mix.

    Give it as `callbacks=[handler]` to a model, a tool or a retriever, and it is told of that one's runs; or
    in the config of a call (or by `with_config`), and it is told of the run and of all inside it. A start is
    followed by exactly one end or error. Prompts and parsers are told as chains.

    Under async verbs a `def` method has a worker thread, under sync verbs an `async def` one a private event
    loop; the run waits until it has returned. What it raises is logged, once for each method, and the run
    goes on.

    Every method is given, by name, the run's `run_id` and `parent_run_id` (a `UUID`; a `str` if the config
    named a run by something else), its `tags`, and at starts its `metadata` and `name`. More may come, so
    take `**kwargs`.
    """

    raise_error: bool = False
    """Whether what a method raises ends the run, and is raised."""
    run_inline: bool = False
    """Whether a `def` method is called in the event loop's own thread under async verbs: for one that is
    done at once."""
    ignore_llm: bool = False
    """Whether it is not told of text models, and of neither kind's tokens and ends."""
    ignore_chat_model: bool = False
    """Whether it is not told of chat models' starts."""
    ignore_chain: bool = False
    """Whether it is not told of chains, prompts and parsers."""
    ignore_agent: bool = False
    """Whether it is not told of tools."""
    ignore_retriever: bool = False
    """Whether it is not told of retrievers."""
    ignore_retry: bool = False
    """Whether it is not told of attempts that failed."""
    ignore_custom_event: bool = False
    """Whether it is not told of events of the program's own."""

    def watcher(self) -> HandlerWatcher:
        """Who watches runs for this handler, for the library: one for each handler."""
        held: HandlerWatcher | None = vars(self).get(_WATCHER)
        if held is not None and held.handler is self:
            return held
        if held is not None:
            vars(self).pop(_WATCHER, None)  # a copy took its original's along
        # Threads may come here at once: the first one's counts.
        first: HandlerWatcher = vars(self).setdefault(_WATCHER, HandlerWatcher(self))
        return first

    def _written(self, name: str) -> Callable[..., Any] | None:
        """The method of that name; None if nobody wrote one."""
        method: Callable[..., Any] = getattr(self, name)
        return None if getattr(method, "__func__", method) in _UNWRITTEN else method

    # --- models ---------------------------------------------------------------------------------------

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A text model begins, on one prompt. `serialized` has its `name` and its class's `id`."""

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A chat model begins, on one list of messages.

        If it is not written, or raises `NotImplementedError`, `on_llm_start` is called with the messages as
        text.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write on_chat_model_start")

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model streamed a piece: `chunk`, with its `message` if it is a chat model.

        `token` is the piece's content: a text, or a list of blocks. A model streams if the call does, or if
        it was made with `streaming=True`. A chat model's last piece is empty and has the usage.
        """

    def on_llm_end(
        self,
        response: LLMResult,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model of either kind is done. `response` has its answer, and the tokens that it took."""

    def on_llm_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model of either kind was cut short: by an error, a cancel, or a reader who left its stream.

        `response=`, an `LLMResult` without generations, has the tokens that were spent.
        """

    # --- chains ---------------------------------------------------------------------------------------

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A chain, prompt or parser begins; `run_type=` is `"prompt"` or `"parser"` of these.

        `inputs` is whatever it was given. Of one that streams it is `{"input": ""}`, since its input is still
        on its way: the end has it.
        """

    def on_chain_end(
        self,
        outputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> Any:
        """It is done. `outputs` is whatever it answered; `inputs=` is there where the start had none."""

    def on_chain_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> Any:
        """It was cut short: by an error, a cancel, or a reader who left its stream."""

    # --- tools and retrievers -------------------------------------------------------------------------

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A tool begins. `inputs` are its arguments, if they are named; `input_str` is their text.

        `serialized` has its `name` and `description`, `tool_call_id=` the id of the model's call.
        """

    def on_tool_end(
        self, output: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """A tool is done: `output` is what it answered."""

    def on_tool_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> Any:
        """A tool was cut short."""

    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A retriever begins."""

    def on_retriever_end(
        self,
        documents: Sequence[Document],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> Any:
        """A retriever is done."""

    def on_retriever_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> Any:
        """A retriever was cut short."""

    # --- inside a run ---------------------------------------------------------------------------------

    def on_retry(
        self, retry_state: RetryState, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """An attempt of a `with_retry` failed, and another one follows. `run_id` is that of all attempts."""

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The program told of something, by `dispatch_custom_event` or `adispatch_custom_event`."""

    def on_text(self, text: str, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> Any:
        """Never called by this library."""

    def on_agent_action(
        self, action: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """Never called by this library: an agent's steps are told as those of models and tools."""

    def on_agent_finish(
        self, finish: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """Never called by this library."""


class AsyncCallbackHandler(BaseCallbackHandler):
    """A handler whose methods are `async def`: the same ones, so that `await super().on_llm_end(...)` works.

    A subclass of `BaseCallbackHandler` may write `async def` methods, too.
    """


def _awaitable(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(self: BaseCallbackHandler, *args: Any, **kwargs: Any) -> None:
        method(self, *args, **kwargs)

    return call


_METHODS = {name: method for name, method in vars(BaseCallbackHandler).items() if name.startswith("on_")}
for _name, _method in _METHODS.items():
    setattr(AsyncCallbackHandler, _name, _awaitable(_method))
_UNWRITTEN = frozenset((*_METHODS.values(), *(vars(AsyncCallbackHandler)[name] for name in _METHODS)))
