import asyncio
import functools
import itertools
import json
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from msgspec import Struct
from pydantic import BaseModel, Field

from millstream import (
    BaseTool,
    CoercionError,
    ConfigError,
    InputError,
    MillstreamError,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    StructuredTool,
    ToolCall,
    ToolException,
    ToolInputError,
    ToolMessage,
    tool,
)
from millstream.kernel.scope import current_scope


@tool
def multiply(a: int, b: int = 2) -> int:
    """Multiply two numbers."""
    return a * b


@tool
async def amultiply(a: int, b: int = 2) -> int:
    """Multiply two numbers, later."""
    await asyncio.sleep(0)
    return a * b


@tool
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def call(args: dict[str, Any], id: str | None = "1") -> ToolCall:
    return ToolCall("any", args, id)


# --- making ----------------------------------------------------------------------------------------------


def test_the_forms_of_the_decorator():
    def plain(a: int) -> int:
        """Doc."""
        return a

    for made, name in [
        (tool(plain), "plain"),
        (tool()(plain), "plain"),
        (tool("other")(plain), "other"),
        (tool("other", return_direct=True)(plain), "other"),
        (tool(plain, return_direct=True), "plain"),
        (StructuredTool.from_function(plain), "plain"),
        (StructuredTool.from_function(plain, name="other"), "other"),
        (StructuredTool.from_function(coroutine=plain), "plain"),
    ]:
        assert isinstance(made, StructuredTool)
        assert isinstance(made, BaseTool)
        assert isinstance(made, Runnable)
        assert (made.name, made.get_name(), made.description) == (name, name, "Doc.")
        assert made.invoke({"a": 1}) == 1
        assert made._run_type == "tool"
    assert repr(multiply) == "StructuredTool('multiply')"
    assert (multiply.func(3, 4), multiply.coroutine) == (12, None)
    assert (amultiply.func, asyncio.run(amultiply.coroutine(3))) == (None, 6)


def test_settings_are_attributes():
    made = tool("t", description="  What.  ", return_direct=True, response_format="content_and_artifact")(
        lambda a: a
    )
    assert (made.description, made.return_direct) == ("What.", True)
    assert made.response_format == "content_and_artifact"
    made.handle_tool_error = made.handle_validation_error = True
    assert made.handle_tool_error is True


def test_what_cannot_be_a_tool():
    def no_words(a: int) -> int:
        return a

    with pytest.raises(ConfigError, match="'no_words' has no description"):
        tool(no_words)
    with pytest.raises(ConfigError, match="no name"):
        tool(functools.partial(no_words, 1))
    with pytest.raises(CoercionError, match="made of a function, not of 3"):
        tool(3)
    with pytest.raises(ConfigError, match=r"StructuredTool has no colour. It has: .*description"):
        tool("t", description="d", colour=1)(no_words)
    with pytest.raises(ConfigError, match="by the names of its arguments: x"):
        tool("t", description="d")(lambda x, /: x)
    with pytest.raises(ConfigError, match=r"of_a_class is a method, .* tool\(thing.of_a_class\)"):

        class Holder:
            @tool
            def of_a_class(self, a: int) -> int:
                """Doc."""
                return a

    made = tool("t", description="d")(lambda word, self, cls: f"{word} {self} {cls}")
    assert made.invoke({"word": "a", "self": "b", "cls": "c"}) == "a b c"
    with pytest.raises(ConfigError, match="of .a. in .* cannot be found: name .Foo."):

        @tool
        def unknown(a: "Foo") -> int:  # noqa: F821
            """Doc."""
            return 1


def test_a_partial_and_an_object_with_a_name():
    class Adder:
        """Adds."""

        def __call__(self, a: int, b: int) -> int:
            return a + b

    made = tool("add", description="Adds.")(Adder())
    assert (list(made.args), made.invoke({"a": 1, "b": "2"})) == (["a", "b"], 3)
    made = tool("two", description="Adds.")(functools.partial(Adder().__call__, 2))
    assert made.invoke("5") == 7


# --- inputs and outputs ----------------------------------------------------------------------------------


def test_every_verb(colour):
    for each in (multiply, amultiply):
        assert colour.invoke(each, {"a": 3, "b": "4"}) == 12
        assert colour.invoke(each, {"a": 3}) == 6
        assert colour.stream(each, {"a": 3}) == [6]
        assert colour.batch(each, [{"a": 3}, {"a": 4}]) == [6, 8]
        assert colour.transform(each, [{"a": 3}]) == [6]
        assert colour.transform(each, []) == []


def test_a_text_is_the_only_argument(colour):
    assert colour.invoke(shout, "abc") == "ABC"
    assert colour.invoke(multiply, "4") == 8
    assert colour.transform(shout, ["ab", "c"]) == ["ABC"]

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    with pytest.raises(ToolInputError, match=r"'add' takes several arguments \(a, b\)"):
        colour.invoke(add, "4")
    assert colour.invoke(add, "4", b=3) == 7

    @tool
    def now() -> str:
        """The time."""
        return "noon"

    assert [colour.invoke(now, given) for given in ("", "None", {}, {"x": 1})] == ["noon"] * 4


@pytest.mark.parametrize("given", [3, [1], None, ("a",)])
def test_other_inputs_are_errors(given, colour):
    with pytest.raises(ToolInputError, match="as a dict, as one text, or in a ToolCall"):
        colour.invoke(multiply, given)


def test_a_tool_call_is_answered_with_a_message(colour):
    expected = ToolMessage("12", tool_call_id="1", name="multiply")
    as_dict = {"type": "tool_call", "name": "multiply", "args": {"a": 3, "b": 4}, "id": "1"}
    for given in (call({"a": 3, "b": 4}), as_dict):
        assert colour.invoke(multiply, given) == expected
        assert colour.stream(multiply, given) == [expected]
    assert colour.invoke(multiply, call({"a": 3}, None)).tool_call_id == ""


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ("text", "text"),
        (3, "3"),
        (None, "null"),
        ({"a": "ü"}, '{"a": "ü"}'),
        (["a", "b"], ["a", "b"]),
        (("a", {"type": "text", "text": "b"}), ["a", {"type": "text", "text": "b"}]),
        ([1, 2], "[1, 2]"),
        ([{"type": "cat"}], '[{"type": "cat"}]'),
        ({1}, "{1}"),
    ],
)
def test_results_as_content(result, content):
    made = tool("t", description="d")(lambda: result)
    assert made.invoke({}) == result
    assert made.invoke(call({})).content == content


def test_messages_stay_as_they_are(colour):
    message = ToolMessage("done", tool_call_id="mine")
    assert colour.invoke(tool("t", description="d")(lambda: message), call({})) is message
    assert colour.invoke(tool("t", description="d")(lambda: [message]), call({})) == [message]


def test_content_and_artifact(colour):
    @tool(response_format="content_and_artifact")
    def search(query: str) -> tuple[str, list[int]]:
        """Search."""
        return f"2 for {query}", [1, 2]

    assert colour.invoke(search, "x") == "2 for x"
    assert colour.stream(search, "x") == ["2 for x"]
    answer = colour.invoke(search, call({"query": "x"}))
    assert (answer.content, answer.artifact, answer.status) == ("2 for x", [1, 2], "success")

    wrong = tool("w", description="d", response_format="content_and_artifact")(lambda: "only")
    with pytest.raises(ConfigError, match="has to return .content, artifact., and not str"):
        colour.invoke(wrong, {})


def test_bound_keywords_are_arguments_and_replace_those_of_the_input(colour):
    assert colour.invoke(multiply.bind(b=5), {"a": 2}) == 10
    assert colour.invoke(multiply.bind(b=5), {"a": 2, "b": 100}) == 10
    assert colour.invoke(multiply, {"a": 2}, b=7) == 14


def test_in_a_chain(colour):
    chain = RunnableLambda(lambda n: {"a": n}) | multiply | str
    assert colour.invoke(chain, 4) == "8"
    assert colour.stream(chain, 4) == ["8"]


def test_arguments_that_nobody_knows():
    assert multiply.invoke({"a": 1, "other": 2}) == 2

    @tool
    def anything(a: int, **others: Any) -> dict[str, Any]:
        """Anything."""
        return {"a": a, **others}

    assert anything.invoke({"a": "1", "b": 2}) == {"a": 1, "b": 2}
    assert anything.tool_call_schema["additionalProperties"] is True

    @tool
    def numbers(a: int, **others: int) -> dict[str, Any]:
        """Numbers."""
        return {"a": a, **others}

    assert numbers.invoke({"a": "1", "b": "2"}) == {"a": 1, "b": 2}
    assert numbers.tool_call_schema["additionalProperties"] == {"type": "integer"}
    with pytest.raises(ToolInputError, match="Expected `int`, got `array`"):
        numbers.invoke({"a": 1, "b": []})

    @tool
    def objects(*args: int, **others: "Unknown") -> list[str]:  # type: ignore[name-defined]  # noqa: F821
        """Anything, of a type that is not known here."""
        return sorted(others)

    assert objects.invoke({"b": object(), "args": [1]}) == ["args", "b"]
    assert list(anything.args) == ["a"]


def test_the_functions_own_defaults_stand():
    nothing = object()
    kept: list[Any] = []

    @tool
    def keep(a: int, seen: Any = nothing, into: list[Any] = kept) -> bool:
        """Keep."""
        into.append(a)
        return seen is nothing

    assert keep.invoke({"a": 1}) is True
    assert kept == [1]
    assert "default" not in keep.args["seen"]
    assert keep.args["into"]["default"] == []


# --- what the run gives ----------------------------------------------------------------------------------

inner = RunnableLambda(lambda text: [scope.name for scope in _scopes()], name="inner")


def _scopes() -> Any:
    scope = current_scope()
    while scope is not None:
        yield scope
        scope = scope.parent


def test_callbacks_without_a_type_nest_the_inner_run(colour):
    @tool
    def correct_tool(word: str, callbacks):
        """Passes callbacks on."""
        return inner.invoke(word, {"callbacks": callbacks})

    @tool
    async def acorrect_tool(word: str, callbacks=None):
        """Passes callbacks on."""
        return await inner.ainvoke(word, {"callbacks": callbacks})

    for each in (correct_tool, acorrect_tool):
        assert list(each.args) == ["word"]
        assert colour.invoke(each, "x") == ["inner", each.name]


def test_config_with_and_without_a_type(colour):
    @tool
    def bare(word: str, config) -> list[str]:
        """Bare."""
        return config["tags"]

    @tool
    def typed(word: str, config: RunnableConfig) -> list[str]:
        """Typed."""
        return config["tags"]

    @tool
    def optional(word: str, settings: RunnableConfig | None = None) -> list[str]:
        """Optional, and named otherwise."""
        assert settings is not None
        return settings["tags"]

    @tool
    def unknown(word: str, settings: "RunnableConfig") -> list[str]:
        """A text."""
        return settings["tags"]

    for each in (bare, typed, optional, unknown):
        assert each.args == {"word": {"type": "string"}}
        assert colour.invoke(each, {"word": "x", "config": {"tags": ["b"]}}, {"tags": ["a"]}) == ["a"]


def test_run_manager(colour):
    @tool
    def managed(word: str, run_manager) -> list[Any]:
        """Managed."""
        assert run_manager.run_id == current_scope().run_id
        assert (run_manager.tags, run_manager.metadata) == (["a"], {"k": 1})
        return inner.invoke(word, {"callbacks": run_manager.get_sync().get_child()})

    config = {"tags": ["a"], "metadata": {"k": 1}}
    assert colour.invoke(managed, "x", config) == ["inner", "managed"]


def test_runs_nest_without_any_of_them(colour):
    @tool
    def outer(word: str) -> list[str]:
        """Outer."""
        return inner.invoke(word)

    assert colour.invoke(outer, "x") == ["inner", "outer"]


def test_tags_and_metadata_of_the_tool(colour):
    seen: list[Any] = []
    made = tool("t", description="d", tags=["mine"], metadata={"k": 1})(lambda: 1)
    listened = made.with_listeners(on_start=lambda run: seen.append((run.name, run.tags, run.metadata)))
    colour.invoke(listened, {}, {"tags": ["given"]})
    assert seen == [("t", ["mine", "given"], {"k": 1})]


# --- colours ---------------------------------------------------------------------------------------------


def test_two_functions(colour):
    async def later(a: int) -> str:
        return "async"

    def now(a: int) -> str:
        """Both."""
        return "sync"

    both = StructuredTool.from_function(now, later)
    assert colour.invoke(both, {"a": 1}) == ("async" if colour.name == "async" else "sync")


def test_a_plain_function_blocks_no_loop():
    threads: list[Any] = []

    @tool
    def where(text: str) -> str:
        """Where."""
        threads.append(threading.get_ident())
        return text

    asyncio.run(where.ainvoke("x"))
    where.invoke("x")
    assert threads[0] != threading.get_ident() == threads[1]


def test_a_function_that_hands_on_an_async_one(colour):
    made = tool("t", description="d")(lambda a: amultiply.ainvoke({"a": a}))
    assert colour.invoke(made, {"a": 4}) == 8


def test_an_async_tool_can_be_cancelled():
    cancelled: list[str] = []

    @tool
    async def wait(text: str) -> str:
        """Wait."""
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(text)
            raise
        return text

    async def main() -> None:
        task = asyncio.ensure_future(wait.ainvoke("x"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled == ["x"]


def test_a_batch_runs_at_once():
    barrier = threading.Barrier(4, timeout=20)
    meet = tool("meet", description="d")(lambda n: barrier.wait() is not None)
    assert meet.batch([{"n": n} for n in range(4)]) == [True] * 4


# --- classes ---------------------------------------------------------------------------------------------


class Numbers(BaseModel):
    a: int = Field(description="the first")
    b: int = Field(3, description="the second")


class Calculator(BaseTool):
    name: str = "Calculator"
    description: str = "for math"
    args_schema: type[BaseModel] = Numbers
    return_direct: bool = True
    factor: int = 1

    def _run(self, a: int, b: int, run_manager: "Any | None" = None) -> int:
        assert run_manager is not None
        return a * b * self.factor


class Greeter(BaseTool):
    name = "greeter"
    description = "greets"

    async def _arun(self, who: str, times: int = 1) -> str:
        return "hello " * times + who


class Both(BaseTool):
    name = "both"
    description = "of both colours"

    def __init__(self, sign: str, **fields: Any) -> None:
        super().__init__(**fields)
        self.sign = sign

    def _run(self, word: str) -> str:
        return f"sync {word}{self.sign}"

    async def _arun(self, word: str) -> str:
        return f"async {word}{self.sign}"


def test_a_class_with_a_schema(colour):
    made = Calculator()
    assert colour.invoke(made, {"a": "2"}) == 6
    assert colour.invoke(Calculator(factor=10, name="ten"), {"a": 2, "b": 1}) == 20
    assert made.args["a"] == {"type": "integer", "description": "the first"}
    assert (made.args_schema, made.return_direct, made.name) == (Numbers, True, "Calculator")


def test_a_class_without_one(colour):
    made = Greeter(description="greets people")
    assert colour.invoke(made, "you") == "hello you"
    assert colour.invoke(made, {"who": "you", "times": "2"}) == "hello hello you"
    assert (list(made.args), made.description) == (["who", "times"], "greets people")
    assert made.tool_call_schema["required"] == ["who"]


def test_a_class_of_both_colours(colour):
    assert colour.invoke(Both("!"), "x") == ("async x!" if colour.name == "async" else "sync x!")


def test_a_class_that_lacks_something():
    class Nothing(BaseTool):
        description = "d"

    with pytest.raises(ConfigError, match="needs a name"):
        Nothing()
    with pytest.raises(ConfigError, match="write _run or _arun"):
        Nothing(name="n").invoke({})
    with pytest.raises(ConfigError, match="Greeter has no nme"):
        Greeter(nme="x")


def test_attributes_can_be_set_later():
    made = Greeter()
    assert list(made.args) == ["who", "times"]
    made.description = "other"
    made.args_schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    assert list(made.args) == ["x"]
    assert made.tool_call_schema["description"] == "other"
    changed = tool("t", description="d")(lambda a: a)
    changed.func = lambda a: "replaced"
    assert changed.invoke("x") == "replaced"


# --- schemas of one's own --------------------------------------------------------------------------------


@dataclass
class DataArgs:
    a: int
    b: str = "x"


class DictArgs(TypedDict):
    a: int
    b: str


class StructArgs(Struct):
    a: int
    b: str = "x"


class ModelArgs(BaseModel):
    a: int
    b: str = "x"


@pytest.mark.parametrize("kind", [DataArgs, StructArgs, ModelArgs, DictArgs])
def test_classes_as_schemas(kind, colour):
    made = tool("t", description="d", args_schema=kind)(lambda a, b: (a, b))
    assert made.args_schema is kind
    assert colour.invoke(made, {"a": "1", "b": "y"}) == (1, "y")
    if kind is not DictArgs:
        assert colour.invoke(made, {"a": "1"}) == (1, "x")
    with pytest.raises(ToolInputError):
        colour.invoke(made, {"b": "y"})


def test_extra_fields_of_a_model_are_arguments():
    class Open(BaseModel, extra="allow"):
        a: int

    made = tool("t", description="d", args_schema=Open)(lambda **all: all)
    assert made.invoke({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_a_json_schema_checks_nothing_but_what_is_missing():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    made = tool("t", description="d", args_schema=schema)(lambda a, b=1: (a, b))
    assert made.args == {"a": {"type": "integer"}}
    assert made.invoke({"a": "x", "b": 2}) == ("x", 2)
    assert made.invoke("x") == ("x", 1)
    with pytest.raises(ToolInputError, match="missing a"):
        made.invoke({})


@pytest.mark.parametrize("kind", [3, int, "text", list[int]])
def test_what_is_no_schema(kind):
    with pytest.raises(ConfigError, match="args_schema of a tool"):
        tool("t", description="d", args_schema=kind)(lambda a: a)


# --- errors ----------------------------------------------------------------------------------------------

SECRET = "hunter2"


class Login(BaseModel):
    user: str
    password: str
    tries: int = 1


@tool
def login(account: Login, pin: int) -> str:
    """Log in."""
    return account.user


def test_wrong_arguments_name_the_tool_and_the_place(colour):
    given = {"account": {"user": "me", "password": SECRET, "tries": "x" + SECRET}, "pin": 1}
    with pytest.raises(
        ToolInputError, match=r"'login' was given wrong arguments: at account\.tries"
    ) as caught:
        colour.invoke(login, given)
    error = caught.value
    assert (error.tool, error.path) == ("login", ("account", "tries"))
    assert isinstance(error, InputError | ValueError | MillstreamError)
    assert SECRET not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__

    @tool
    def choose(word: Literal["a", "b"]) -> str:
        """Choose."""
        return word

    with pytest.raises(ToolInputError, match="at word, none of the values that there are") as caught:
        colour.invoke(choose, {"word": SECRET})
    assert SECRET not in str(caught.value)
    with pytest.raises(ToolInputError) as caught:
        colour.invoke(multiply, {"a": SECRET})
    assert caught.value.path == ("a",)
    assert SECRET not in str(caught.value)


def test_wrong_arguments_can_be_told_to_the_model(colour):
    for handle, said in [
        (True, "The tool 't' was given wrong arguments: at a, Expected `int`, got `str`."),
        ("Try again.", "Try again."),
        (lambda error: f"{error.tool} {error.path}", "t ('a',)"),
    ]:
        made = tool("t", description="d", handle_validation_error=handle)(multiply.func)
        assert colour.invoke(made, {"a": "x"}) == said
        assert colour.stream(made, {"a": "x"}) == [said]
        answer = colour.invoke(made, call({"a": "x"}))
        assert (answer.content, answer.status, answer.tool_call_id) == (said, "error", "1")


def test_a_tools_own_error(colour):
    def fail(text: str) -> str:
        raise ToolException(text)

    failing = tool("t", description="d")(fail)
    with pytest.raises(ToolException, match="no luck") as caught:
        colour.invoke(failing, "no luck")
    assert any("In the step t" in note for note in caught.value.__notes__)

    async def look(error: Exception) -> list[Any]:
        return [{"type": "text", "text": str(error)}]

    for handle, said in [
        (True, "no luck"),
        ("Sorry.", "Sorry."),
        (lambda error: f"<{error}>", "<no luck>"),
        (look, [{"type": "text", "text": "no luck"}]),
    ]:
        failing.handle_tool_error = handle
        assert colour.invoke(failing, "no luck") == said
        answer = colour.invoke(failing, call({"text": "no luck"}))
        assert (answer.content, answer.status) == (said, "error")
    failing.handle_tool_error = True
    assert colour.invoke(failing, "") == "The tool failed."


def test_other_errors_are_not_handled(colour):
    def fail(text: str) -> str:
        raise KeyError(text)

    failing = tool("t", description="d", handle_tool_error=True, handle_validation_error=True)(fail)
    with pytest.raises(KeyError):
        colour.invoke(failing, call({"text": "x"}))


def test_wrong_arguments_of_an_inner_tool_are_not_the_outer_ones(colour):
    outer = tool("outer", description="d", handle_validation_error="mine")(
        lambda a: multiply.invoke({"a": "no number"})
    )
    with pytest.raises(ToolInputError, match="'multiply'"):
        colour.invoke(outer, "x")


def test_the_error_of_an_artifact_is_none_to_hide(colour):
    @tool(response_format="content_and_artifact", handle_tool_error=True)
    def search(query: str) -> tuple[str, int]:
        """Search."""
        raise ToolException("offline")

    answer = colour.invoke(search, call({"query": "x"}))
    assert (answer.content, answer.artifact, answer.status) == ("offline", None, "error")


# --- generators ------------------------------------------------------------------------------------------


@tool
def spell(text: str):
    """Spell it."""
    yield from text


@tool
async def aspell(text: str):
    """Spell it, later."""
    for letter in text:
        await asyncio.sleep(0)
        yield letter


@tool
def research(topic: str):
    """Look it up."""
    yield "searching"
    yield "reading"
    return f"{topic}: 42"


def test_generators_stream_their_output(colour):
    for each in (spell, aspell):
        assert colour.stream(each, "abc") == ["a", "b", "c"]
        assert colour.invoke(each, "abc") == "abc"
        message = ToolMessage("abc", tool_call_id="1", name=each.name)
        assert colour.stream(each, call({"text": "abc"})) == ["a", "b", "c", message]
        assert colour.invoke(each, call({"text": "abc"})) == message
        assert colour.stream(each, "") == []
        assert colour.invoke(each, "") is None
        assert colour.batch(each, ["a", "b"]) == ["a", "b"]


def test_what_a_generator_returns_is_the_result(colour):
    assert colour.stream(research, "life") == ["searching", "reading", "life: 42"]
    assert colour.invoke(research, "life") == "life: 42"
    assert colour.invoke(research, call({"topic": "life"})).content == "life: 42"
    *pieces, last = colour.stream(research, call({"topic": "life"}))
    assert (pieces, last.content) == (["searching", "reading"], "life: 42")


@pytest.mark.parametrize("result", ["text", [1, 2], {"a": 1}, 3])
def test_a_step_behind_gets_the_result_and_not_the_pieces(result, colour):
    @tool
    def work(text: str):
        """Work."""
        yield "a"
        yield "b"
        return result

    chain = work | (lambda value: (type(value), value))
    assert colour.invoke(chain, "x") == (type(result), result)
    assert colour.stream(chain, "x") == [(type(result), result)]
    assert colour.stream(chain, call({"text": "x"}))[0][0] is ToolMessage

    @tool
    def lists(text: str):
        """Lists."""
        yield [1]
        yield [2]
        return result

    assert colour.stream(lists | (lambda value: value), "x") == [result]
    assert json.loads(json.dumps(colour.stream(work, "x"))) == ["a", "b", result]


def test_a_generator_with_an_artifact(colour):
    @tool(response_format="content_and_artifact")
    def search(query: str):
        """Search."""
        yield "..."
        return "found", [1]

    assert colour.stream(search, "x") == ["...", "found"]
    assert colour.invoke(search, call({"query": "x"})).artifact == [1]


def test_a_generator_that_fails_on_its_way(colour):
    @tool
    def failing(text: str):
        """Fail."""
        yield "a"
        raise ToolException("gone")

    seen: list[str] = []
    with pytest.raises(ToolException, match="gone"):
        colour.invoke(failing | seen.append, "x")
    failing.handle_tool_error = True
    assert colour.stream(failing, "x") == ["a", "gone"]
    assert colour.invoke(failing, "x") == "gone"
    assert colour.stream(failing, call({"text": "x"}))[-1].status == "error"


@pytest.mark.parametrize("is_async", [False, True])
def test_leaving_the_loop_closes_the_generator(is_async):
    closed: list[str] = []

    if is_async:

        async def count(text: str):
            """Count."""
            try:
                for number in itertools.count():
                    yield number
            finally:
                closed.append(text)
    else:

        def count(text: str):
            """Count."""
            try:
                yield from itertools.count()
            finally:
                closed.append(text)

    counting = tool(count)
    for number in counting.stream("sync"):
        if number == 3:
            break
    del number
    assert closed == ["sync"]

    async def main() -> None:
        stream = counting.astream("async")
        async for number in stream:
            if number == 3:
                break
        await stream.aclose()

    asyncio.run(main())
    assert closed == ["sync", "async"]


def test_a_stream_that_is_cancelled_closes_the_generator():
    closed = threading.Event()

    @tool
    def slow(text: str):
        """Slow."""
        try:
            while True:
                yield text
                time.sleep(0.001)
        finally:
            closed.set()

    async def main() -> None:
        async def read() -> None:
            async for _ in slow.astream("x"):
                pass

        task = asyncio.ensure_future(read())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed.wait(10)


def test_a_generator_is_given_what_the_run_knows(colour):
    @tool
    def told(text: str, config, callbacks):
        """Told."""
        yield config["tags"]
        yield inner.invoke(text, {"callbacks": callbacks})

    assert colour.stream(told, "x", {"tags": ["a"]}) == [["a"], ["inner", "told"]]


def test_watchers_are_told_the_result(colour):
    seen: list[Any] = []
    colour.stream(research.with_listeners(on_end=lambda run: seen.append(run.outputs)), "x")
    assert seen == ["x: 42"]


def test_annotated_constraints():
    @tool
    def bounded(a: Annotated[int, msgspec.Meta(ge=1)], b: Annotated[int, Field(ge=1)] = 1) -> int:
        """Bounded."""
        return a

    with pytest.raises(ToolInputError, match="at b, Input should be greater"):
        bounded.invoke({"a": 1, "b": 0})


def test_events_of_tools():
    async def events(step: Runnable[Any, Any], input: Any) -> list[tuple[Any, ...]]:
        return [
            (event["event"], event["name"], *event["data"].values())
            async for event in step.astream_events(input, version="v2")
        ]

    @tool
    def correct_tool(word: str, callbacks):
        """Passes callbacks on."""
        return backwards.invoke(word, {"callbacks": callbacks})

    backwards = RunnableLambda(lambda word: word[::-1], name="reverse_word")
    assert asyncio.run(events(correct_tool, "hello")) == [
        ("on_tool_start", "correct_tool", "hello"),
        ("on_chain_start", "reverse_word", "hello"),
        ("on_chain_end", "reverse_word", "olleh", "hello"),
        ("on_tool_end", "correct_tool", "olleh"),
    ]
    news = [("on_tool_stream", "research", piece) for piece in ("searching", "reading", "x: 42")]
    started, *streamed, ended = asyncio.run(events(research, "x"))
    assert (started[0], streamed, ended) == ("on_tool_start", news, ("on_tool_end", "research", "x: 42"))
    _, *streamed, ended = asyncio.run(events(research, call({"topic": "x"})))
    assert (streamed[:2], ended[2].content) == (news[:2], "x: 42")
    asking = RunnableLambda(lambda topic: research.invoke(call({"topic": topic})))
    inside = [event for event in asyncio.run(events(asking, "x")) if event[1] == "research"]
    assert inside[0] == ("on_tool_start", "research", {"topic": "x"})
    assert inside[1:3] == news[:2]
