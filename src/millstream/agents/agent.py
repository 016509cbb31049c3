"""The loop: the model is asked, the tools that it calls are run, and it is asked again with their answers.

It is written once, as a stream of pieces of the conversation (`_steps`). `invoke` adds them up. A time limit
is a second worker beside it, whose error ends the first.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import chain, count
from typing import Any

from millstream.agents.toolbox import AgentTool, Answers, OnToolError, Toolbox
from millstream.errors import AgentLimitError, ConfigError
from millstream.kernel.branches import Put, run_branches
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, AddableDict, Single, Source
from millstream.kernel.stage import answer, open_stream
from millstream.language_models import BaseChatModel, ModelInput, init_chat_model
from millstream.messages import (
    AIMessage,
    BaseMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
    to_message,
)
from millstream.messages.conversation import Conversation
from millstream.runnables import Runnable

AgentInput = ModelInput | Mapping[str, Any]
"""A question as text, messages in any form, or a dict that has them under `messages`."""

Kwargs = Mapping[str, Any]


class Agent(Runnable[AgentInput, dict[str, list[BaseMessage]]]):
    """What `create_agent` makes: a runnable, from a conversation to the conversation with its answer.

    It takes a text, messages, or `{"messages": [...]}`, and answers `{"messages": [...]}`: all messages,
    those that it was given first, the answer last. So what it answers, with a question more, is what it takes
    next. Keywords of a call go to the model at each step.

    Its stream gives that in pieces that add up: first the messages that it was given, then each chunk of the
    model's as it comes (text, and tool calls whose arguments grow), and the answers of tools when all tools
    of a step are done. Runs of the model and of tools nest below, tagged `agent:step:1` and so on.

    Raises `AgentLimitError` at a limit, whatever the model raises, and what tools raise if it was made so.
    """

    def __init__(
        self,
        models: Sequence[Runnable[Any, Any]],
        toolbox: Toolbox,
        system: SystemMessage | None,
        max_steps: int | None,
        max_tokens: int | None,
        timeout: float | None,
    ) -> None:
        self._models = models  # of the first step, the second, ... and of all that follow
        self._toolbox = toolbox
        self._system = [] if system is None else [system]
        self.max_steps = max_steps
        """How often the model is asked; None for any number."""
        self.max_tokens = max_tokens
        """How many tokens its answers may have taken before it is asked again; None for any number."""
        self.timeout = timeout
        """Seconds for the whole run; None for any time."""

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        return await scope.gather(self._limited(input, scope, kwargs, streams=False), scope.flow())

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[AddableDict, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is not NOTHING:
                async with scope.reading(self._limited(input, scope, kwargs, streams=True)) as pieces:
                    async for piece in pieces:
                        yield piece

    def _limited(
        self, input: Any, scope: Scope, kwargs: Kwargs, *, streams: bool
    ) -> AsyncGenerator[AddableDict, None]:
        """The run in its time."""
        talk = _Talk(input)
        steps = self._steps if self.timeout is None else self._timed
        return steps(talk, scope, kwargs, streams)

    async def _timed(
        self, talk: "_Talk", scope: Scope, kwargs: Kwargs, streams: bool
    ) -> AsyncGenerator[AddableDict, None]:
        seconds = self.timeout or 0.0
        late = AgentLimitError(f"The agent had no answer after {seconds:g} seconds.", limit="timeout")

        async def work(scope: Scope, put: Put) -> None:
            async with scope.reading(self._steps(talk, scope, kwargs, streams)) as pieces:
                async for piece in pieces:
                    await put(piece)

        async def watch(scope: Scope, put: Put) -> None:
            await scope.here.sleep(scope, seconds)
            raise late

        try:
            async with scope.reading(run_branches(scope, [work], watch)) as pieces:
                async for piece in pieces:
                    yield piece
        except AgentLimitError as error:
            if error is late:
                # Now, when nobody works at it any more.
                error.messages = talk.so_far()
            raise

    async def _steps(
        self, talk: "_Talk", scope: Scope, kwargs: Kwargs, streams: bool
    ) -> AsyncGenerator[AddableDict, None]:
        """The conversation in pieces, until an answer without tool calls."""
        for step in count():
            self._check(step, talk)
            scope.cancellation.check()
            tag = f"agent:step:{step + 1}"
            model = self._models[min(step, len(self._models) - 1)]
            said: list[BaseMessage] = []
            asked = [*self._system, *talk.messages]
            if streams:
                asking = open_stream(model, Single(asked), scope, tag, kwargs)
            else:
                asking = _whole(model, asked, scope, tag, kwargs)
            async with scope.reading(asking) as parts:
                async for part in parts:
                    if step == 0 and not said:
                        # Not before: what fails before its first piece can be tried again.
                        yield _piece(talk.messages)
                    said.append(part)
                    yield _piece([part])
            message = talk.hear(said)
            if not message.tool_calls and not message.invalid_tool_calls:
                return
            talk.open = self._toolbox.begin(message)
            await self._toolbox.run(message, talk.open, scope, tag)
            answers = talk.close()
            yield _piece(answers)
            if self._toolbox.ends(message, answers):
                return

    def _check(self, step: int, talk: "_Talk") -> None:
        """Raise `AgentLimitError` if the model may not be asked once more."""
        if self.max_steps is not None and step >= self.max_steps:
            limit, taken = "max_steps", f"{step} steps"
        elif self.max_tokens is not None and talk.tokens >= self.max_tokens:
            limit, taken = "max_tokens", f"{talk.tokens} tokens"
        else:
            return
        raise AgentLimitError(f"The agent had no answer after {taken}.", limit=limit, messages=talk.so_far())


class _Talk:
    """The conversation so far, of one run."""

    def __init__(self, input: Any) -> None:
        given = input["messages"] if isinstance(input, Mapping) and "messages" in input else input
        #: All that is whole: each call in it has its answer, but those of the last message.
        self.messages = [to_message(message) for message in convert_to_messages(given)]
        #: The answers to the calls of the last message, so far.
        self.open: Answers = []
        self.tokens = 0

    def hear(self, said: list[BaseMessage]) -> AIMessage:
        """Take in what the model said, in the parts that it came in."""
        [message] = Conversation.merge_all([said])
        assert isinstance(message, AIMessage)
        self.messages.append(message)
        if message.usage_metadata is not None:
            self.tokens += message.usage_metadata.total_tokens
        return message

    def so_far(self) -> list[BaseMessage]:
        """The conversation, each call in it with an answer."""
        return [*self.messages, *chain.from_iterable(self.open)]

    def close(self) -> list[ToolMessage]:
        """Take in the answers to the calls, which are all there, and return them."""
        answers = list(chain.from_iterable(self.open))
        self.messages += answers
        self.open = []
        return answers


async def _whole(
    model: Runnable[Any, Any], messages: list[BaseMessage], scope: Scope, tag: str, kwargs: Kwargs
) -> AsyncGenerator[BaseMessage, None]:
    """What the model answers, as a stream of one message."""
    yield await answer(model, messages, scope, tag, kwargs)


def _piece(messages: Sequence[BaseMessage]) -> AddableDict:
    return AddableDict(messages=Conversation(messages))


def create_agent(
    model: str | BaseChatModel | Runnable[ModelInput, AIMessage],
    tools: Sequence[AgentTool] = (),
    *,
    system: str | SystemMessage | None = None,
    tool_choice: str | Sequence[str] = (),
    parallel: bool = True,
    on_tool_error: OnToolError = "tell",
    max_steps: int | None = 25,
    max_tokens: int | None = None,
    timeout: float | None = None,
    name: str | None = None,
) -> Agent:
    """A model with tools: it is asked, the tools that it calls are run, it is asked again, until it answers.

    `model` is a chat model, one with a config or keywords, or a name as `init_chat_model` takes it. `tools`
    are tools, functions with a docstring, runnables that say what they take, or dicts of tools that the
    model's server runs by itself. `system` stands before the conversation at each step, and is no part of it.

    `tool_choice` is for the first step: `"any"` (the model has to call a tool), `"none"`, or a tool's name. A
    list is for the first steps, in their order. From then on the model decides.

    The tools that one answer calls run at once, `max_concurrency` (16) of them; with `parallel=False` one
    after the other, and the model is asked to call one at a time. Their answers go back in the order of the
    calls. After tools with `return_direct` alone, the run ends without asking the model again.

    What a tool raises is told to the model (`on_tool_error="tell"`), as a `ToolMessage` with the status
    `"error"`, or it ends the run (`"raise"`). A function is given the error, and answers the words to tell.
    In any case, unknown names and arguments that cannot be read are told, and a `ConfigError` is raised.

    `max_steps` is how often the model is asked, `max_tokens` how many tokens all its answers may have taken
    before it is asked again, `timeout` the seconds for the run, which cuts short what is at work. At a limit
    `AgentLimitError` is raised, with the conversation. With a `timeout`, a stream may be 64 pieces ahead of
    its reader.

    Raises `ConfigError` for what is no model, tool or limit.
    """
    bound = init_chat_model(model) if isinstance(model, str) else model
    toolbox = Toolbox(tools, parallel, on_tool_error)
    for limit, value in (("max_steps", max_steps), ("max_tokens", max_tokens), ("timeout", timeout)):
        if value is not None and not (isinstance(value, (int, float)) and value > 0):
            raise ConfigError(f"{limit} is a number above 0, or None, not {value!r}.")
    choices = [tool_choice] if isinstance(tool_choice, str) else list(tool_choice)
    agent = Agent(
        _models(bound, toolbox, [*choices, None], parallel),
        toolbox,
        SystemMessage(system) if isinstance(system, str) else system,
        max_steps,
        max_tokens,
        timeout,
    )
    agent.name = name
    return agent


def _models(
    model: Any, toolbox: Toolbox, choices: Sequence[str | None], parallel: bool
) -> list[Runnable[Any, Any]]:
    """The model of each step, by what it may choose."""
    bind = getattr(model, "bind_tools", None)
    if bind is None:
        raise _no_model(model)
    if not toolbox.described:
        if len(choices) > 1:
            raise ConfigError("There is no tool to choose: `tool_choice` needs `tools`.")
        return [model]
    more = {} if parallel else {"parallel_tool_calls": False}
    try:
        return [bind(toolbox.described, tool_choice=choice, **more) for choice in choices]
    except AttributeError as error:  # of what a retry or a fallback has inside
        raise _no_model(model) from error


def _no_model(model: Any) -> ConfigError:
    return ConfigError(f"An agent needs a chat model, not {model!r}: this has no `bind_tools`.")
