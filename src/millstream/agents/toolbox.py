"""An agent's tools: what a model is told of them, and what its calls are answered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from millstream.errors import ConfigError, ToolException, ToolInputError
from millstream.kernel.scope import Nesting, Scope
from millstream.kernel.stage import enter_root
from millstream.messages import AIMessage, InvalidToolCall, ToolCall, ToolMessage
from millstream.runnables import Runnable
from millstream.runnables.batch import Call, run_calls
from millstream.runnables.function import _UserFunction
from millstream.tools import BaseTool, convert_to_openai_tool, tool
from millstream.tools.calls import content_of
from millstream.tools.convert import ToolLike

AgentTool = ToolLike | Runnable[Any, Any]
"""A tool, a function, a runnable that says what it takes, or as a dict one that the model's server runs."""

OnToolError = Literal["tell", "raise"] | Callable[[Exception], Any]

#: The answers to the calls of one message, each in the place of its call.
Answers = list[list[ToolMessage]]

_CUT_SHORT = "The call was cut short: it has no answer."
_UNREADABLE = "The arguments are no JSON object, or were cut off. Call it again with valid JSON."


class Toolbox:
    """Tools by their names. Raises `ConfigError` for what is none, and for two of one name."""

    def __init__(self, tools: Sequence[AgentTool], parallel: bool, on_error: OnToolError) -> None:
        if on_error not in ("tell", "raise") and not callable(on_error):
            raise ConfigError(f"on_tool_error is 'tell', 'raise' or a function, not {on_error!r}.")
        self._parallel = parallel
        self._on_error = on_error
        self._tools: dict[str, Any] = {}
        #: What a model is told of.
        self.described: list[BaseTool | Mapping[str, Any]] = []
        for given in tools:
            described = _servers_own(given) if isinstance(given, Mapping) else self._add(given)
            self.described.append(described)

    def _add(self, given: Any) -> BaseTool:
        made = given if isinstance(given, BaseTool) else _made(given)
        if made.name in self._tools:
            raise ConfigError(f"Two tools have the name {made.name!r}: a model could not tell them apart.")
        self._tools[made.name] = made
        return made

    def begin(self, said: AIMessage) -> Answers:
        """The answers before any tool has run: to calls that can be made, that they were cut short."""
        known = ", ".join(self._tools) or "none"
        unknown = "There is no tool of this name. The tools are: " + known
        good = [
            [_failure(call, _CUT_SHORT if call.name in self._tools else unknown)] for call in said.tool_calls
        ]
        return good + [[_failure(call, call.error or _UNREADABLE)] for call in said.invalid_tool_calls]

    async def run(self, said: AIMessage, answers: Answers, scope: Scope, tag: str) -> None:
        """Run the tools that a message calls. `answers` is what `begin` gave, and has theirs as they end."""
        calls = [
            self._enter(place, call, scope, tag)
            for place, call in enumerate(said.tool_calls)
            if call.name in self._tools
        ]
        for group in [calls] if self._parallel else [[call] for call in calls]:
            runs = run_calls(scope, group, return_exceptions=self._on_error != "raise")
            async with scope.reading(runs) as done:
                async for place, result in done:
                    answers[place] = await self._messages(said.tool_calls[place], result, scope)

    def _enter(self, place: int, call: ToolCall, scope: Scope, tag: str) -> Call:
        nesting = {"callbacks": Nesting(scope)}
        step, own, kwargs = enter_root(self._tools[call.name], nesting, scope.host, {})
        own.tag = tag
        return place, step, call, own, kwargs

    async def _messages(self, call: ToolCall, result: Any, scope: Scope) -> list[ToolMessage]:
        if isinstance(result, ConfigError):
            raise result  # the program's to mend, and not the model's
        if isinstance(result, Exception):
            return [_failure(call, await self._words(result, scope))]
        return result if isinstance(result, list) else [result]

    async def _words(self, error: Exception, scope: Scope) -> Any:
        if callable(self._on_error):
            return content_of(await _UserFunction(self._on_error).call(error, scope, {}))
        if isinstance(error, (ToolException, ToolInputError)):
            return str(error)  # written for the model
        return f"{type(error).__name__}: {error}"

    def ends(self, said: AIMessage, answers: Sequence[ToolMessage]) -> bool:
        """Whether these answers are for the user as they are: of `return_direct` tools, and no failure."""
        return all(answer.status == "success" for answer in answers) and all(
            self._tools[call.name].return_direct for call in said.tool_calls
        )


def _made(given: Any) -> BaseTool:
    if not isinstance(given, Runnable) and not callable(given):
        raise ConfigError(f"A tool, a function or a runnable is expected, not {given!r}.")
    make: Any = tool
    made: BaseTool = make(given)
    return made


def _servers_own(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if convert_to_openai_tool(given).get("type") == "function":
        raise ConfigError(
            f"An agent cannot run a tool that is only described: {given!r}. Give the tool itself."
        )
    return given


def _failure(call: ToolCall | InvalidToolCall, words: Any) -> ToolMessage:
    return ToolMessage(words, tool_call_id=call.id or "", name=call.name, status="error")
