import copy
import json
from typing import Any

import pytest

from millstream.errors import ConfigError, InputError
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
    merge_chunks,
)
from millstream.messages.merge import gather_message
from millstream.providers.anthropic.request import asks_for_citations, messages_request
from millstream.providers.anthropic.stream import MessageStream
from millstream.tools import tool
from tests.providers.anthropic.anthropic_wire import (
    LATE_STOPS,
    MIXED,
    MIXED_CONTENT,
    SEARCHED,
    TEXT,
    delta,
    end,
    opened,
    start,
    stopped,
)

EPHEMERAL = {"type": "ephemeral"}
HI = HumanMessage("hi")


def body(*messages: BaseMessage, **parameters: Any) -> dict[str, Any]:
    built = messages_request(messages or (HI,), {"model": "claude-x", **parameters})
    assert json.loads(json.dumps(built)) == built
    return built


def turns(*messages: BaseMessage, **parameters: Any) -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in body(*messages, **parameters)["messages"]]


def blocks(*parts: Any) -> list[dict[str, Any]]:
    [(_, content)] = turns(HumanMessage(list(parts)))
    return content


def text(of: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": of, **more}


def answer(wire: bytes) -> AIMessage:
    return gather_message(MessageStream().feed(wire))


def test_the_least_that_can_be_asked() -> None:
    assert body(HI) == {
        "model": "claude-x",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [text("hi")]}],
        "stream": True,
    }
    assert "stream" not in messages_request([HI], {"model": "claude-x"}, stream=False)


# Parameters


def test_parameters_go_by_their_names_zero_included_and_none_left_out() -> None:
    given = {"temperature": 0, "top_p": 0.5, "top_k": 3, "metadata": {"user_id": "u"}, "max_tokens": 5}
    assert given.items() <= body(**given, thinking=None, stop=None, tools=None, tool_choice=None).items()
    assert body(temperature=None) == body()


def test_stop_is_one_text_or_several() -> None:
    assert body(stop="END")["stop_sequences"] == ["END"]
    assert body(stop=("a", "b"))["stop_sequences"] == ["a", "b"]
    assert "stop_sequences" not in body(stop=[])


def test_a_budget_for_thinking_comes_on_top_of_the_limit_that_nobody_gave() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert body(thinking=thinking)["max_tokens"] == 6096
    assert body(thinking=thinking, max_tokens=3000)["max_tokens"] == 3000
    assert body(thinking={"type": "adaptive"})["max_tokens"] == 4096


def test_an_unknown_parameter_is_refused_by_name_and_extra_takes_any() -> None:
    with pytest.raises(ConfigError, match=r"takes no frobnicate, seed\. Known: .*temperature"):
        body(seed=1, frobnicate=2)
    assert body(extra={"seed": 1, "max_tokens": 7}).items() >= {"seed": 1, "max_tokens": 7}.items()
    with pytest.raises(ConfigError, match="`model`"):
        messages_request([HI], {})


def test_json_of_a_schema_is_a_form_of_output() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    closed = {**schema, "additionalProperties": False, "required": ["a"]}
    form = {"format": {"type": "json_schema", "schema": closed}}
    assert body(json_schema=schema)["output_config"] == form
    assert body(json_schema=schema, output_config={"effort": "low"})["output_config"] == {
        **form,
        "effort": "low",
    }


# Tools


@tool
def weather(city: str) -> str:
    """How the weather is."""
    return city


def test_tools_of_all_kinds_are_told_in_the_providers_form() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    cached = {"name": "f", "input_schema": {"type": "object"}, "cache_control": EPHEMERAL}
    told = body(tools=[weather, search, cached])["tools"]
    assert [each["name"] for each in told] == ["weather", "web_search", "f"]
    assert told[0]["input_schema"]["properties"]["city"] == {"type": "string"}
    assert told[1:] == [search, cached]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("any", {"type": "any"}),
        ("required", {"type": "any"}),
        (True, {"type": "any"}),
        (False, {"type": "none"}),
        ("weather", {"type": "tool", "name": "weather"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ({"name": "weather"}, {"type": "tool", "name": "weather"}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_the_choice_of_a_tool(given: Any, sent: dict[str, Any]) -> None:
    assert body(tools=[weather], tool_choice=given)["tool_choice"] == sent


def test_a_choice_that_is_none_of_these_is_refused() -> None:
    with pytest.raises(ConfigError, match="tool_choice"):
        body(tools=[weather], tool_choice=3.5)


def test_calls_at_once_are_part_of_the_choice() -> None:
    one = {"type": "auto", "disable_parallel_tool_use": True}
    assert body(tools=[weather], parallel_tool_calls=False)["tool_choice"] == one
    several = {"type": "any", "disable_parallel_tool_use": False}
    assert body(tools=[weather], tool_choice="any", parallel_tool_calls=True)["tool_choice"] == several
    assert body(tools=[weather], tool_choice="none", parallel_tool_calls=False)["tool_choice"] == {
        "type": "none"
    }
    assert "tool_choice" not in body(parallel_tool_calls=False)


# Conversations


def test_system_messages_are_the_system_wherever_they_stand() -> None:
    built = body(
        SystemMessage("be brief"), HI, AIMessage("yes?"), SystemMessage("be kind"), HumanMessage("go")
    )
    assert built["system"] == "be brief\n\nbe kind"
    assert [turn["role"] for turn in built["messages"]] == ["user", "assistant", "user"]
    assert body(ChatMessage("hm", role="developer"), HI)["system"] == "hm"


def test_a_system_with_a_marker_stays_in_blocks() -> None:
    marked = SystemMessage([text("long", cache_control=EPHEMERAL)])
    assert body(SystemMessage("a"), marked, HI)["system"] == [
        text("a"),
        text("long", cache_control=EPHEMERAL),
    ]


def test_neighbours_of_one_role_are_one_message() -> None:
    found = turns(HI, ChatMessage("ho", role="user"), AIMessage("a"), AIMessageChunk("b"), HumanMessage("c"))
    assert found == [
        ("user", [text("hi"), text("ho")]),
        ("assistant", [text("a"), text("b")]),
        ("user", [text("c")]),
    ]


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="ChatMessage"):
        body(ChatMessage("hm", role="critic"))


@pytest.mark.parametrize("empty", ["", " \n", [], [""], [text(" ")]])
def test_what_is_empty_is_left_out(empty: Any) -> None:
    assert turns(HI, AIMessage(empty), HumanMessage(empty), HumanMessage("go")) == [
        ("user", [text("hi"), text("go")])
    ]
    assert "system" not in body(SystemMessage(empty), HI)
    with pytest.raises(InputError, match="nothing to answer"):
        body(SystemMessage("s"), HumanMessage(empty))


def test_the_beginning_of_an_answer_ends_with_a_word() -> None:
    assert turns(HI, AIMessage("Well, \n"))[-1] == ("assistant", [text("Well,")])
    assert turns(HI, AIMessage("Well, \n"), HI)[1] == ("assistant", [text("Well, \n")])


PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
AT = {"type": "url", "url": "https://a.org/x"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "image_url", "image_url": {"url": "https://a.org/x"}}, {"type": "image", "source": AT}),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, {"type": "image", "source": PNG}),
        ({"type": "image", "base64": "AAAA", "mime_type": "image/png"}, {"type": "image", "source": PNG}),
        ({"type": "image", "url": "https://a.org/x"}, {"type": "image", "source": AT}),
        ({"type": "image", "source_type": "url", "url": "https://a.org/x"}, {"type": "image", "source": AT}),
        (
            {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
            {"type": "image", "source": PNG},
        ),
        ({"type": "image", "file_id": "f1"}, {"type": "image", "source": {"type": "file", "file_id": "f1"}}),
        ({"type": "image", "source": PNG}, {"type": "image", "source": PNG}),
        ({"type": "file", "base64": "AAAA"}, {"type": "document", "source": PDF}),
        ({"type": "file", "base64": "AAAA", "mime_type": "image/png"}, {"type": "image", "source": PNG}),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            {"type": "document", "source": PDF, "title": "a.pdf"},
        ),
        (
            {"type": "file", "file": {"file_id": "f1"}},
            {"type": "document", "source": {"type": "file", "file_id": "f1"}},
        ),
        (
            {"type": "text-plain", "text": "Long.", "title": "T", "citations": {"enabled": True}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Long."},
                "title": "T",
                "citations": {"enabled": True},
            },
        ),
        ({"type": "document", "source": AT, "title": "T"}, {"type": "document", "source": AT, "title": "T"}),
        ({"type": "search_result", "title": "T"}, {"type": "search_result", "title": "T"}),
        ("hi", text("hi")),
        (text("hi", index=0, id="x"), text("hi")),
    ],
)
def test_blocks_of_all_forms_become_the_providers(given: Any, sent: dict[str, Any]) -> None:
    before = copy.deepcopy(given)
    assert blocks(given) == [sent]
    if isinstance(given, dict):
        assert blocks({**given, "cache_control": EPHEMERAL}) == [{**sent, "cache_control": EPHEMERAL}]
    assert given == before


@pytest.mark.parametrize(
    "given", [{"type": "image_url"}, {"type": "image", "url": "wasp.png"}, {"type": "file"}, {"text": "?"}, 3]
)
def test_a_block_that_cannot_be_sent_is_refused(given: Any) -> None:
    with pytest.raises(InputError):
        blocks(given)


def test_markers_for_the_cache_stand_on_last_blocks() -> None:
    marked = HumanMessage(["a", "b"], additional_kwargs={"cache_control": EPHEMERAL})
    assert turns(marked, HumanMessage("c"), cache_control=EPHEMERAL) == [
        ("user", [text("a"), text("b", cache_control=EPHEMERAL), text("c", cache_control=EPHEMERAL)])
    ]
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    said = AIMessage([text("a"), thought])
    assert turns(HI, said, cache_control=EPHEMERAL)[-1][1] == [text("a", cache_control=EPHEMERAL), thought]


def test_whether_an_answer_may_cite() -> None:
    cited = {"type": "document", "source": AT, "citations": {"enabled": True}}
    assert asks_for_citations(body(HumanMessage([cited, "q"])))
    assert asks_for_citations(body(HI, ToolMessage([cited], tool_call_id="a")))
    assert not asks_for_citations(body(HumanMessage([{**cited, "citations": {"enabled": False}}, "q"])))
    assert not asks_for_citations(body(HI, ToolMessage("x", tool_call_id="a")))


# Tools' results


def result(call: str, *content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": call,
        **({"content": list(content)} if content else {}),
        **more,
    }


def test_results_are_blocks_of_one_message_of_the_users_and_come_first_in_it() -> None:
    calls = AIMessage("", tool_calls=[ToolCall("f", {}, "a"), ToolCall("g", {"x": 1}, "b")])
    image = {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}
    assert turns(
        HI,
        calls,
        ToolMessage("1", tool_call_id="a"),
        HumanMessage("quick!"),
        ToolMessage(["2", image], tool_call_id="b", status="error"),
        ToolMessage("", tool_call_id="c"),
    )[1:] == [
        (
            "assistant",
            [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
            ],
        ),
        (
            "user",
            [
                result("a", text("1")),
                result("b", text("2"), {"type": "image", "source": PNG}, is_error=True),
                result("c"),
                text("quick!"),
            ],
        ),
    ]


def test_a_call_without_an_id_is_refused() -> None:
    with pytest.raises(InputError, match="without an id"):
        body(HI, AIMessage("", tool_calls=[ToolCall("f", {})]))


def test_a_call_that_cannot_be_read_goes_back_if_it_was_answered() -> None:
    bad = AIMessage("so", invalid_tool_calls=[InvalidToolCall("f", '{"x":[1,', "a")])
    assert turns(HI, bad)[1] == ("assistant", [text("so")])
    assert turns(HI, bad, ToolMessage("mend it", tool_call_id="a", status="error"))[1:] == [
        ("assistant", [text("so"), {"type": "tool_use", "id": "a", "name": "f", "input": {"x": [1]}}]),
        ("user", [result("a", text("mend it"), is_error=True)]),
    ]


# What was streamed goes back


def sent_back(message: BaseMessage, *more: BaseMessage) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = turns(HI, message, *more, HumanMessage("go"))[1][1]
    return content


def without_index(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in block.items() if name != "index"} for block in content]


def test_thinking_text_and_calls_go_back_exactly() -> None:
    assert sent_back(answer(MIXED)) == without_index(MIXED_CONTENT)
    assert sent_back(merge_chunks(MessageStream().feed(MIXED))) == without_index(MIXED_CONTENT)


def test_text_goes_back_as_one_block() -> None:
    assert sent_back(answer(TEXT)) == [text("Hé → 日本 \U0001f600")]


def test_plain_text_before_calls_goes_back_in_front_of_them() -> None:
    assert sent_back(answer(LATE_STOPS)) == [
        text("I look."),
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]


def test_what_the_server_searched_and_cited_goes_back() -> None:
    assert sent_back(answer(SEARCHED)) == without_index(answer(SEARCHED).content)  # type: ignore[arg-type]


def test_calls_go_back_with_the_arguments_that_tool_calls_has_now() -> None:
    message = answer(LATE_STOPS)
    message.tool_calls = [ToolCall("f", {"x": 2}, "a"), ToolCall("h", {}, "c")]
    assert [(block["id"], block["input"]) for block in sent_back(message)[1:]] == [
        ("a", {"x": 2}),
        ("b", {}),
        ("c", {}),
    ]


def test_thinking_that_was_cut_before_its_signature_does_not_go_back() -> None:
    thought = opened(0, "thinking", thinking="", signature="") + delta(0, "thinking_delta", thinking="Hm")
    message = answer(start() + thought + stopped(0) + opened(1, "text", text="Yes.") + end())
    assert sent_back(message) == [text("Yes.")]


def test_thinking_of_another_provider_does_not_go_back_and_this_ones_in_langchains_form_does() -> None:
    foreign = {"type": "reasoning", "reasoning": "hm"}
    ours = {**foreign, "extras": {"signature": "s"}}
    assert sent_back(AIMessage([foreign, ours, text("a")])) == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        text("a"),
    ]


def test_a_call_that_was_cut_off_goes_back_if_it_was_answered() -> None:
    half = opened(0, "tool_use", id="a", name="f", input={})
    half += delta(0, "input_json_delta", partial_json='{"x":"ab') + stopped(0)
    message = answer(start() + half + opened(1, "text", text="Oh.") + end("max_tokens"))
    assert sent_back(message) == [text("Oh.")]
    assert sent_back(message, ToolMessage("again", tool_call_id="a")) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": "ab"}},
        text("Oh."),
    ]


def test_a_servers_tool_without_arguments_has_empty_ones() -> None:
    wire = start() + opened(0, "server_tool_use", id="s", name="list", input={}) + stopped(0) + end()
    assert sent_back(answer(wire)) == [{"type": "server_tool_use", "id": "s", "name": "list", "input": {}}]


def test_messages_that_langchain_has_gathered_go_back_as_well() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "partial_json": '{"x":1}', "index": 1}
    message = AIMessage([text("a", index=0), block], tool_calls=[ToolCall("f", {"x": 1}, "a")])
    assert sent_back(message) == [text("a"), {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]


def test_a_servers_call_that_was_cut_off_does_not_go_back() -> None:
    wire = (
        start() + opened(0, "text", text="I look.") + opened(1, "server_tool_use", id="s", name="web_search")
    )
    message = merge_chunks(MessageStream().feed(wire + delta(1, "input_json_delta", partial_json='{"q')))
    assert sent_back(message) == [text("I look.")]
