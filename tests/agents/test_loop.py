"""The loop: what goes in and out, what the model is asked, and what it is told of its calls."""

import asyncio
import itertools
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream import (
    AIMessage,
    AIMessageChunk,
    ChatPromptTemplate,
    ConfigError,
    HumanMessage,
    InjectedToolArg,
    Runnable,
    RunnableLambda,
    SystemMessage,
    ToolException,
    ToolInputError,
    ToolMessage,
    create_agent,
    tool,
)
from millstream.kernel.sources import merge
from millstream.testing import FakeChatModel
from tests.agents.scripts import Recorded, added, call, plain, weather, weather_model
from tests.conftest import Colour


@tool
def broken(city: str) -> str:
    """Fails."""
    raise RuntimeError("no wire")


def told(message: ToolMessage) -> tuple[str, str, Any]:
    return message.tool_call_id, message.status, message.content


def tool_messages(state: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [told(each) for each in state["messages"] if isinstance(each, ToolMessage)]


# --- in and out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "How warm?",
        [HumanMessage("How warm?")],
        [("human", "How warm?")],
        {"messages": "How warm?"},
        {"messages": [{"role": "user", "content": "How warm?"}]},
        {"role": "user", "content": "How warm?"},
        ChatPromptTemplate.from_template("How {x}?").invoke({"x": "warm"}),
    ],
)
def test_a_question_in_any_form_gives_the_conversation(colour: Colour, given: Any) -> None:
    state = colour.invoke(create_agent(weather_model(), [weather]), given)
    assert list(state) == ["messages"]
    question, asks, rome, oslo, answer = state["messages"]
    assert question == HumanMessage("How warm?")
    assert asks.text == "Let me look."
    assert [each.args for each in asks.tool_calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert told(rome) == ("1", "success", "20 C in Rome")
    assert told(oslo) == ("2", "success", "20 C in Oslo")
    assert type(answer) is AIMessage
    assert answer.text == "It is warm."


def test_without_calls_it_is_the_model(colour: Colour) -> None:
    state = colour.invoke(create_agent(FakeChatModel(["Hello."])), "Hi.")
    assert [each.text for each in state["messages"]] == ["Hi.", "Hello."]


def test_what_it_answers_goes_in_again(colour: Colour) -> None:
    model = Recorded(["One."], ["Two."])
    agent = create_agent(model, system="Be brief.")
    first = colour.invoke(agent, "1?")
    second = colour.invoke(agent, {"messages": [*first["messages"], "2?"]})
    assert [each.text for each in second["messages"]] == ["1?", "One.", "2?", "Two."]
    assert [each.text for each in model.asked[1][0]] == ["Be brief.", "1?", "One.", "2?"]


@pytest.mark.parametrize("system", ["Be brief.", SystemMessage("Be brief.")])
def test_the_system_message_stands_before_each_step(colour: Colour, system: Any) -> None:
    model = Recorded(call("weather", '{"city": "Rome"}'), ["Warm."])
    state = colour.invoke(create_agent(model, [weather], system=system), "How warm?")
    assert [messages[0] for messages, _ in model.asked] == [SystemMessage("Be brief.")] * 2
    assert [each.type for each in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert [each.type for each in model.asked[1][0]] == ["system", "human", "ai", "tool"]


def test_the_stream_gives_chunks_and_results_that_add_up(colour: Colour) -> None:
    agent = create_agent(weather_model(), [weather])
    pieces = colour.stream(agent, "How warm?")
    messages = [message for piece in pieces for message in piece["messages"]]
    assert [type(each).__name__ for each in messages] == [
        "HumanMessage",
        *["AIMessageChunk"] * 6,
        *["ToolMessage"] * 2,
        *["AIMessageChunk"] * 3,
    ]
    assert [each.text for each in messages[1:3]] == ["Let me ", "look."]
    whole = colour.invoke(agent, "How warm?")
    assert plain(merge(pieces)["messages"]) == plain(added(pieces)["messages"]) == plain(whole["messages"])
    assert type(merge(pieces)["messages"][-1]) is AIMessage


def test_arguments_grow_in_the_sum_so_far(colour: Colour) -> None:
    pieces = colour.stream(create_agent(weather_model(), [weather]), "How warm?")
    seen = [
        [dict(each.args) for each in added(pieces[: n + 1])["messages"][1].tool_calls] for n in range(1, 6)
    ]
    assert seen == [[], [], [{}], [{"city": "Rome"}], [{"city": "Rome"}, {"city": "Oslo"}]]


def test_it_is_a_step_of_a_chain(colour: Colour) -> None:
    agent = create_agent(weather_model(), [weather])
    last = RunnableLambda(lambda state: state["messages"][-1].text)
    chain = ChatPromptTemplate.from_template("How {x}?") | agent | last
    assert colour.invoke(chain, {"x": "warm"}) == "It is warm."
    assert colour.stream(chain, {"x": "warm"}) == ["It is warm."]
    assert colour.transform(agent | last, ["How ", "warm?"]) == ["It is warm."]


def test_one_agent_serves_many_runs_at_once(colour: Colour) -> None:
    class Echo(Recorded):
        def _stream(self, messages: Any, **kwargs: Any) -> Any:
            if messages[-1].type == "tool":
                yield messages[-1].text
            else:
                yield from call("weather", f'{{"city": "{messages[-1].text}"}}')

    cities = [f"city {n}" for n in range(8)]
    states = colour.batch(create_agent(Echo(), [weather]), cities)
    assert [state["messages"][-1].text for state in states] == [f"20 C in {city}" for city in cities]


def test_a_message_of_chunks_may_come_in(colour: Colour) -> None:
    history = ["Hi.", AIMessageChunk("Hel", id="a") + AIMessageChunk("lo.", id="a"), "How are you?"]
    pieces = colour.stream(create_agent(FakeChatModel(["Well."])), {"messages": history})
    messages = merge(pieces)["messages"]
    assert [each.text for each in messages] == ["Hi.", "Hello.", "How are you?", "Well."]
    assert [type(each).__name__ for each in messages] == ["HumanMessage", "AIMessage"] * 2
    with create_agent(FakeChatModel(["Well."])).start({"messages": history}) as run:
        assert list(run.text) == ["Well."]


@pytest.mark.parametrize("timeout", [None, 30])
def test_what_fails_before_the_model_speaks_can_be_tried_again(colour: Colour, timeout: float | None) -> None:
    flaky = FakeChatModel([[OSError("no wire")], ["Hello."]])
    agent = create_agent(flaky, timeout=timeout)
    retried = agent.with_retry(wait_exponential_jitter=False)
    assert merge(colour.stream(retried, "Hi."))["messages"][-1].text == "Hello."
    broken = create_agent(FakeChatModel([[OSError("no wire")]]), timeout=timeout)
    other = create_agent(FakeChatModel(["Hello."]))
    assert merge(colour.stream(broken.with_fallbacks([other]), "Hi."))["messages"][-1].text == "Hello."


# --- what the model is asked -------------------------------------------------------------------------------


def test_the_model_is_told_of_the_tools_and_given_the_keywords(colour: Colour) -> None:
    model = Recorded(call("weather", '{"city": "Rome"}'), ["Warm."])
    search = {"type": "web_search"}
    colour.invoke(create_agent(model, [weather, search]), "How warm?", temperature=0)
    for _, kwargs in model.asked:
        assert kwargs["tools"][0]["function"]["name"] == "weather"
        assert kwargs["tools"][1] == search
        assert kwargs.keys() == {"tools", "temperature"}


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("any", ["any", None, None]),
        (["any", "none"], ["any", "none", None]),
        ((), [None, None, None]),
    ],
)
def test_the_first_steps_can_be_forced(colour: Colour, choice: Any, made: list[str | None]) -> None:
    asks = call("weather", '{"city": "Rome"}')
    model = Recorded(asks, asks, ["Warm."])
    colour.invoke(create_agent(model, [weather], tool_choice=choice), "How warm?")
    assert [kwargs.get("tool_choice") for _, kwargs in model.asked] == made


def test_a_config_on_the_model_stays_on_it(colour: Colour) -> None:
    model = Recorded(["Hi."])
    seen: list[list[str]] = []
    listened = model.with_listeners(on_start=lambda run: seen.append(run.tags))
    bound = listened.bind(stop=["x"], temperature=1).with_config(tags=["mine"])
    agent = create_agent(bound, [weather])
    colour.invoke(agent, "Hi.")
    [(_, kwargs)] = model.asked
    assert kwargs["stop"] == ["x"]
    assert kwargs["temperature"] == 1
    assert kwargs["tools"]
    assert seen == [["agent:step:1", "mine"]]


# --- tools -------------------------------------------------------------------------------------------------


async def later(city: str) -> str:
    """How warm it will be."""
    await asyncio.sleep(0)
    return f"30 C in {city}"


def test_tools_of_both_colours_functions_and_runnables(colour: Colour) -> None:
    @tool
    def lent(user: Annotated[str, InjectedToolArg], word: str) -> str:
        """Books of a user."""
        return f"{word} of {user}"

    asks = [
        *call("weather", '{"city": "Rome"}'),
        *call("later", '{"city": "Rome"}', id="2", index=1),
        *call("lent", '{"word": "rivers"}', id="3", index=2),
    ]
    agent = create_agent(Recorded(asks, ["Done."]), [weather, later, lent.bind(user="eva")])
    assert tool_messages(colour.invoke(agent, "Go.")) == [
        ("1", "success", "20 C in Rome"),
        ("2", "success", "30 C in Rome"),
        ("3", "success", "rivers of eva"),
    ]


def test_what_the_model_gets_wrong_it_is_told(colour: Colour) -> None:
    asks = [
        *call("climate", "{}"),
        *call("weather", '{"town": "Rome"}', id="2", index=1),
        *call("weather", '{"city": ', id="3", index=2),
        *call("weather", '{"city": "Rome"}', id="4", index=3),
    ]
    for on_error in ("tell", lambda error: str(error)):
        agent = create_agent(Recorded(asks, ["Sorry."]), [weather], on_tool_error=on_error)
        unknown, wrong, good, unreadable = tool_messages(colour.invoke(agent, "Go."))
        assert unknown[:2] == ("1", "error")
        assert "weather" in unknown[2]
        assert wrong[:2] == ("2", "error")
        assert "city" in wrong[2]
        assert good == ("4", "success", "20 C in Rome")
        assert unreadable[:2] == ("3", "error")
        assert "JSON" in unreadable[2]


def test_unknown_names_and_unreadable_arguments_are_told_in_any_case(colour: Colour) -> None:
    asks = [*call("climate", "{}"), *call("weather", "{", id="2", index=1)]
    agent = create_agent(Recorded(asks, ["Sorry."]), [weather], on_tool_error="raise")
    assert [each[:2] for each in tool_messages(colour.invoke(agent, "Go."))] == [
        ("1", "error"),
        ("2", "error"),
    ]


async def words(error: Exception) -> str:
    await asyncio.sleep(0)
    return f"It broke: {error}"


@pytest.mark.parametrize(
    ("on_error", "said"),
    [
        ("tell", "RuntimeError: no wire"),
        (lambda error: f"It broke: {error}", "It broke: no wire"),
        (words, "It broke: no wire"),
        (lambda error: {"broke": True}, '{"broke": true}'),
    ],
)
def test_a_failure_is_told_to_the_model(colour: Colour, on_error: Any, said: str) -> None:
    asks = [*call("broken", '{"city": "Rome"}'), *call("weather", '{"city": "Oslo"}', id="2", index=1)]
    model = Recorded(asks, ["Sorry."])
    state = colour.invoke(create_agent(model, [weather, broken], on_tool_error=on_error), "Go.")
    assert tool_messages(state) == [("1", "error", said), ("2", "success", "20 C in Oslo")]
    assert state["messages"][-1].text == "Sorry."


def test_a_failure_is_raised(colour: Colour) -> None:
    agent = create_agent(
        Recorded(call("broken", '{"city": "Rome"}')), [weather, broken], on_tool_error="raise"
    )
    with pytest.raises(RuntimeError, match="no wire"):
        colour.invoke(agent, "Go.")
    with pytest.raises(RuntimeError, match="no wire"):
        colour.stream(agent, "Go.")
    wrong = create_agent(Recorded(call("weather", "{}")), [weather], on_tool_error="raise")
    with pytest.raises(ToolInputError):
        colour.invoke(wrong, "Go.")


def test_what_a_tool_says_for_the_model_is_told_as_it_is(colour: Colour) -> None:
    @tool
    def closed(city: str) -> str:
        """Closed."""
        raise ToolException("Come back on Monday.")

    agent = create_agent(Recorded(call("closed", '{"city": "Rome"}'), ["Sorry."]), [closed])
    assert tool_messages(colour.invoke(agent, "Go.")) == [("1", "error", "Come back on Monday.")]


def test_what_only_the_program_can_mend_is_raised(colour: Colour) -> None:
    @tool
    def lent(user: Annotated[str, InjectedToolArg], word: str) -> str:
        """Books of a user."""
        return word

    agent = create_agent(Recorded(call("lent", '{"word": "rivers"}')), [lent])
    with pytest.raises(ConfigError, match="user"):
        colour.invoke(agent, "Go.")


def test_a_function_for_errors_may_raise(colour: Colour) -> None:
    def refuse(error: Exception) -> str:
        raise error

    agent = create_agent(Recorded(call("broken", '{"city": "Rome"}')), [broken], on_tool_error=refuse)
    with pytest.raises(RuntimeError, match="no wire"):
        colour.invoke(agent, "Go.")


def test_a_tool_may_answer_for_the_user(colour: Colour) -> None:
    @tool(return_direct=True)
    def menu(day: str) -> str:
        """The menu."""
        if day == "never":
            raise ValueError(day)
        return f"Fish on {day}."

    fish = call("menu", '{"day": "Friday"}')
    model = Recorded(fish, ["Enjoy."])
    state = colour.invoke(create_agent(model, [menu, weather]), "What is there?")
    assert state["messages"][-1].content == "Fish on Friday."
    assert len(model.asked) == 1

    for asks in (
        [*fish, *call("weather", '{"city": "Rome"}', id="2", index=1)],
        call("menu", '{"day": "never"}'),
    ):
        model = Recorded(asks, ["Enjoy."])
        state = colour.invoke(create_agent(model, [menu, weather]), "What is there?")
        assert state["messages"][-1].text == "Enjoy."


def test_the_answer_of_a_tool_keeps_its_artifact(colour: Colour) -> None:
    @tool(response_format="content_and_artifact")
    def search(words: str) -> tuple[str, list[str]]:
        """Search."""
        return "1 book", [words]

    agent = create_agent(Recorded(call("search", '{"words": "rivers"}'), ["There."]), [search])
    found = colour.invoke(agent, "Go.")["messages"][2]
    assert (found.content, found.artifact) == ("1 book", ["rivers"])


def test_agents_nest(colour: Colour) -> None:
    inner = create_agent(Recorded(call("weather", '{"city": "Rome"}'), ["Warm in Rome."]), [weather])

    @tool
    def ask(question: str) -> str:
        """Ask the expert."""
        return inner.invoke(question)["messages"][-1].text

    outer = create_agent(Recorded(call("ask", '{"question": "How warm?"}'), ["It is warm."]), [ask])
    state = colour.invoke(outer, "Go.")
    assert tool_messages(state) == [("1", "success", "Warm in Rome.")]


# --- making ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "tools", "settings", "said"),
    [
        (RunnableLambda(str), [weather], {}, "bind_tools"),
        (FakeChatModel(["x"]), [weather, weather], {}, "weather"),
        (FakeChatModel(["x"]), ["weather"], {}, "weather"),
        (FakeChatModel(["x"]), [{"name": "w", "parameters": {}}], {}, "only described"),
        (FakeChatModel(["x"]), [], {"tool_choice": "any"}, "tool_choice"),
        (FakeChatModel(["x"]), [weather], {"on_tool_error": "ask"}, "on_tool_error"),
        (FakeChatModel(["x"]), [weather], {"max_steps": 0}, "max_steps"),
        (FakeChatModel(["x"]), [weather], {"max_tokens": -1}, "max_tokens"),
        (FakeChatModel(["x"]), [weather], {"timeout": "1"}, "timeout"),
        ("no such model", [weather], {}, "no such model"),
    ],
)
def test_what_makes_no_agent_is_an_error_at_once(
    model: Any, tools: list[Any], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        create_agent(model, tools, **settings)


def test_its_runs_have_its_name() -> None:
    agent = create_agent(FakeChatModel(["x"]), name="helper")
    assert agent.get_name() == "helper"
    assert create_agent(FakeChatModel(["x"])).get_name() == "Agent"


def test_it_is_typed_as_a_runnable() -> None:
    agent: Runnable[Any, dict[str, Any]] = create_agent(FakeChatModel(["x"]))
    assert isinstance(agent, Runnable)


# --- any script --------------------------------------------------------------------------------------------

names = st.sampled_from(["weather", "broken", "climate"])
arguments = st.sampled_from(['{"city": "Rome"}', '{"city": "R', "{}", "", "[]"])
calls = st.lists(st.tuples(names, arguments, st.integers(0, 16)), min_size=1, max_size=4)
scripts = st.lists(st.tuples(st.lists(st.text(max_size=3), max_size=3), calls), max_size=3)


@given(scripts, st.booleans())
def test_any_script_adds_up_and_answers_each_call(script: list[Any], parallel: bool) -> None:
    answers: list[list[Any]] = []
    for texts, asked in script:
        cut = [
            call(name, args[:at], args[at:], id=str(n), index=n) for n, (name, args, at) in enumerate(asked)
        ]
        answers.append([*texts, *itertools.chain.from_iterable(cut)])
    answers.append(["Done."])
    run = create_agent(Recorded(*answers), [weather, broken], parallel=parallel)
    whole = run.invoke("Go.")["messages"]
    pieces = list(run.stream("Go."))
    assert plain(merge(pieces)["messages"]) == plain(whole)
    assert plain(added(pieces)["messages"]) == plain(whole)

    rest = iter(whole[1:])
    for message in rest:
        assert isinstance(message, AIMessage)
        wanted = [each.id for each in (*message.tool_calls, *message.invalid_tool_calls)]
        assert [next(rest).tool_call_id for _ in wanted] == wanted
    assert whole[-1].text == "Done."
