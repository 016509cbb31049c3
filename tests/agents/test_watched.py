"""What is told of an agent's run: events of both kinds, projections, handlers."""

import asyncio
from collections.abc import Iterator
from typing import Any

from millstream import (
    AIMessage,
    BaseCallbackHandler,
    RunDone,
    StepFinished,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallReady,
    ToolMessage,
    ToolOutputDelta,
    ToolResult,
    create_agent,
    tool,
)
from tests.agents.scripts import Recorded, call, plain, weather, weather_model


@tool
def survey(city: str) -> Iterator[str]:
    """Survey a city."""
    yield "one "
    yield "two"


def survey_agent() -> Any:
    return create_agent(
        Recorded(["Let me ", "see.", *call("survey", '{"ci', 'ty": "Rome"}')], ["Two."]), [survey]
    )


def sync_events(agent: Any) -> list[Any]:
    return list(agent.stream_events("Go."))


def async_events(agent: Any) -> list[Any]:
    async def run() -> list[Any]:
        return [event async for event in agent.astream_events("Go.", version="v2")]

    return asyncio.run(run())


def test_the_events_of_one_run_nest() -> None:
    for read in (sync_events, async_events):
        events = read(create_agent(weather_model(), [weather], name="helper"))
        root = events[0]["run_id"]
        assert (events[0]["event"], events[-1]["event"]) == ("on_chain_start", "on_chain_end")
        inner = [each for each in events if each["run_id"] != root]
        assert all(each["parent_ids"] == [root] for each in inner)
        starts = [(each["name"], each["tags"]) for each in inner if each["event"].endswith("_start")]
        assert sorted(starts) == [
            ("FakeChatModel", ["agent:step:1"]),
            ("FakeChatModel", ["agent:step:2"]),
            ("weather", ["agent:step:1"]),
            ("weather", ["agent:step:1"]),
        ]
        ends = [each["data"]["output"] for each in inner if each["event"] == "on_tool_end"]
        assert sorted(each.content for each in ends) == ["20 C in Oslo", "20 C in Rome"]
        pieces = [
            each["data"]["chunk"]["messages"][0].text
            for each in events
            if each["event"] == "on_chain_stream" and each["data"]["chunk"]["messages"][0].text
        ]
        assert pieces == ["Go.", "Let me ", "look.", "20 C in Rome", "It is ", "warm."]
        output = events[-1]["data"]["output"]["messages"]
        assert [each.type for each in output] == ["human", "ai", "tool", "tool", "ai"]


def check_typed(events: list[Any], root: str) -> None:
    said = [each.text for each in events if isinstance(each, TextDelta) and each.run_id != root]
    answer = [each.text for each in events if isinstance(each, TextDelta) and each.run_id == root]
    assert said == answer == ["Let me ", "see.", "Two."]
    assert [each.args for each in events if isinstance(each, ToolCallDelta)] == ['{"ci', 'ty": "Rome"}']
    [ready] = [each for each in events if isinstance(each, ToolCallReady)]
    assert (ready.name, ready.args) == ("survey", {"city": "Rome"})
    assert [each.output for each in events if isinstance(each, ToolOutputDelta)] == ["one ", "two"]
    [result] = [each for each in events if isinstance(each, ToolResult)]
    assert (result.tool_call_id, result.output.content) == ("1", "one two")
    steps = [each for each in events if isinstance(each, (StepStarted, StepFinished))]
    assert [each.name for each in steps] == [*["Recorded"] * 2, *["survey"] * 2, *["Recorded"] * 2]
    assert all(each.parent_ids == (root,) or each.parent_ids == [root] for each in steps)
    assert isinstance(events[-1], RunDone)


def test_the_typed_events_of_one_run() -> None:
    with survey_agent().start("Go.") as run:
        check_typed(list(run.events), run.run_id)

    async def read() -> None:
        async with survey_agent().astart("Go.") as run:
            check_typed([each async for each in run.events], run.run_id)

    asyncio.run(read())


def test_the_projections() -> None:
    with survey_agent().start("Go.") as run:
        assert list(run.text) == ["Let me ", "see.", "Two."]
        messages = list(run.messages)
        assert [type(each) for each in messages] == [AIMessage, ToolMessage, AIMessage]
        assert plain(messages) == plain(run.output["messages"][1:])
        assert [(each.name, each.args) for each in run.tool_calls][-1] == ("survey", {"city": "Rome"})
        assert run.usage.total_tokens == sum(
            each.usage_metadata.total_tokens for each in messages if isinstance(each, AIMessage)
        )
        assert run.status == "done"


def test_what_was_said_before_is_not_told_again() -> None:
    history = [("human", "Hi."), ("ai", "Hello."), ("human", "How warm?")]
    with create_agent(weather_model(), [weather]).start({"messages": history}) as run:
        assert "".join(run.text) == "Let me look.It is warm."


def test_a_failure_that_the_model_is_told_is_an_error_of_the_tools_run() -> None:
    @tool
    def broken(city: str) -> str:
        """Fails."""
        raise RuntimeError("no wire")

    agent = create_agent(Recorded(call("broken", '{"city": "Rome"}'), ["Sorry."]), [broken])
    for read in (sync_events, async_events):
        events = read(agent)
        [error] = [each for each in events if each["event"] == "on_tool_error"]
        assert str(error["data"]["error"]) == "no wire"
        assert events[-1]["event"] == "on_chain_end"


def test_handlers_are_told_and_the_models_stream_only_if_it_is_asked_to() -> None:
    class Told(BaseCallbackHandler):
        def __init__(self) -> None:
            self.told: list[str] = []

        def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
            self.told.append(f"tool {kwargs['name']}")

        def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            self.told.append(token)

        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            self.told.append(f"model {len(messages[0])}")

    handler = Told()
    agent = survey_agent()
    agent.invoke("Go.", {"callbacks": [handler]})
    assert handler.told == ["model 1", "tool survey", "model 3"]
    handler.told.clear()
    for _ in agent.stream("Go.", {"callbacks": [handler]}):
        pass
    assert [each for each in handler.told if each] == [
        *["model 1", "Let me ", "see."],
        *["tool survey", "model 3", "Two."],
    ]


def test_invoke_asks_the_model_for_whole_answers() -> None:
    class Whole(Recorded):
        wholes = 0

        def _generate(self, messages: Any, **kwargs: Any) -> str:
            self.wholes += 1
            return "Whole."

    model = Whole(["In ", "pieces."])
    agent = create_agent(model)
    assert agent.invoke("Go.")["messages"][-1].text == "Whole."
    assert (model.wholes, model.asked) == (1, [])
    assert len(list(agent.stream("Go."))) == 4
    assert model.wholes == 1
