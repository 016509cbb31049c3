"""Messages and parameters to bodies, and answers that go back as they came."""

import json
from typing import Any

import pytest

from millstream.errors import ConfigError, InputError
from millstream.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    HumanMessageChunk,
    InvalidToolCall,
    ToolCall,
    ToolMessage,
    convert_to_messages,
)
from millstream.messages.merge import gather_message
from millstream.providers.openai.request import OPENAI, Dialect, chat_body, completion_body
from millstream.providers.openai.stream import ChatStream

from . import openai_wires as wires

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
SCHEMA = {"title": "A point", "type": "object", "properties": {"x": {"type": "integer"}}}


def body(*messages: BaseMessage, dialect: Dialect = OPENAI, **parameters: Any) -> dict[str, Any]:
    built = chat_body(messages or [HumanMessage("hi")], parameters, model="m", dialect=dialect)
    assert json.loads(json.dumps(built)) == built
    return built


def sent(*messages: BaseMessage, dialect: Dialect = OPENAI) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(*messages, dialect=dialect)["messages"]
    return found


def weather(city: str) -> str:
    """The weather in a city."""
    return city


def test_a_chat_without_parameters_leaves_all_to_the_server() -> None:
    expected = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert body() == expected | USAGE
    assert body(temperature=None, tools=None, stop=[]) == expected | USAGE
    assert chat_body([HumanMessage("hi")], {}, model="m", stream=False) == expected


def test_each_kind_of_message_has_its_role() -> None:
    given = convert_to_messages([("developer", "d"), ("system", "s"), ("user", "u"), ("ai", "a")])
    given += [ChatMessage("c", role="critic"), HumanMessageChunk("h"), HumanMessage("n", name="Ann")]
    assert sent(*given) == [
        {"role": "developer", "content": "d"},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
        {"role": "critic", "content": "c"},
        {"role": "user", "content": "h"},
        {"role": "user", "content": "n", "name": "Ann"},
    ]
    with pytest.raises(InputError, match="BaseMessage"):
        sent(BaseMessage("x"))


DATA = "data:image/png;base64,AAAA"
BLOCKS: list[tuple[Any, dict[str, Any]]] = [
    ("a", {"type": "text", "text": "a"}),
    ({"type": "text", "text": "a", "index": 0}, {"type": "text", "text": "a"}),
    (
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
    ),
    ({"type": "image_url", "image_url": DATA}, {"type": "image_url", "image_url": {"url": DATA}}),
    (
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
    ),
    (
        {"type": "image", "url": "https://x.example/a.png", "detail": "high"},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}},
    ),
    (
        {"type": "image", "base64": "AAAA", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": DATA}},
    ),
    ({"type": "image", "data": b"\0\0\0"}, {"type": "image_url", "image_url": {"url": DATA}}),
    (
        {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": DATA}},
    ),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "image_url", "image_url": {"url": DATA}},
    ),
    (
        {"type": "image", "source": {"type": "url", "url": "u"}},
        {"type": "image_url", "image_url": {"url": "u"}},
    ),
    ({"type": "file", "file": {"file_id": "f"}}, {"type": "file", "file": {"file_id": "f"}}),
    ({"type": "file", "file_id": "f"}, {"type": "file", "file": {"file_id": "f"}}),
    (
        {"type": "file", "base64": "AAAA", "mime_type": "application/pdf", "filename": "a.pdf"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ),
    (
        {"type": "document", "title": "a", "source": {"type": "base64", "data": "AAAA"}},
        {"type": "file", "file": {"filename": "a", "file_data": "data:application/pdf;base64,AAAA"}},
    ),
    (
        {"type": "audio", "base64": "AAAA", "mime_type": "audio/mpeg"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ),
    ({"type": "video_url", "video_url": {"url": "u"}}, {"type": "video_url", "video_url": {"url": "u"}}),
]


@pytest.mark.parametrize(("block", "expected"), BLOCKS)
def test_blocks_of_every_form(block: Any, expected: dict[str, Any]) -> None:
    assert sent(HumanMessage([block]))[0]["content"] == [expected]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image"},
        {"type": "audio", "url": "https://x.example/a.mp3"},
        {"type": "file"},
        {"type": "document", "source": {"type": "text", "data": "a"}},
    ],
)
def test_a_block_without_its_data_is_refused(block: Any) -> None:
    with pytest.raises(InputError, match=block["type"]):
        sent(HumanMessage([block]))


def test_an_answer_with_calls_goes_back_with_null_for_content() -> None:
    message = AIMessage(
        "",
        tool_calls=[ToolCall("f", {"a": "ü"}, "1"), ToolCall("g", {})],
        invalid_tool_calls=[InvalidToolCall("h", '{"a', "3", "cut off")],
    )
    (built,) = sent(message)
    assert built["content"] is None
    assert [(c["id"], c["type"], c["function"]["name"]) for c in built["tool_calls"]] == [
        ("1", "function", "f"),
        ("", "function", "g"),
        ("3", "function", "h"),
    ]
    arguments = [c["function"]["arguments"] for c in built["tool_calls"]]
    assert [json.loads(each) for each in arguments[:2]] == [{"a": "ü"}, {}]
    assert arguments[2] == '{"a'


def test_an_answer_of_another_provider_goes_back_as_text() -> None:
    content: Any = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Yes", "citations": []},
        "!",
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
    ]
    (built,) = sent(AIMessage(content))
    assert built == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Yes"}, {"type": "text", "text": "!"}],
    }
    assert sent(AIMessage(""))[0]["content"] == ""
    assert sent(AIMessage([]))[0]["content"] == ""


def test_results_of_tools_are_told_in_text_and_failures_in_their_own_words() -> None:
    assert sent(
        ToolMessage("17", tool_call_id="1", name="f"),
        ToolMessage("it broke", tool_call_id="2", status="error"),
        ToolMessage(["a", {"type": "json", "json": {"b": 1}}], tool_call_id="3"),
        ToolMessage([{"type": "image", "url": "u"}], tool_call_id="4"),
    ) == [
        {"role": "tool", "tool_call_id": "1", "content": "17"},
        {"role": "tool", "tool_call_id": "2", "content": "it broke"},
        {
            "role": "tool",
            "tool_call_id": "3",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": '{"type": "json", "json": {"b": 1}}'},
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "4",
            "content": [{"type": "image_url", "image_url": {"url": "u"}}],
        },
    ]


def test_parameters_go_by_their_names() -> None:
    built = body(temperature=0, seed=0, stop="a", max_tokens=5, n=2, top_logprobs=3, user="u")
    assert {name: built[name] for name in built.keys() - {"model", "messages", *USAGE}} == {
        "temperature": 0,
        "seed": 0,
        "stop": ["a"],
        "max_completion_tokens": 5,
        "n": 2,
        "top_logprobs": 3,
        "logprobs": True,
        "user": "u",
    }
    assert body(max_tokens=5, dialect=Dialect())["max_tokens"] == 5


def test_further_fields_override_all() -> None:
    built = body(temperature=1, model_kwargs={"top_k": 4}, extra={"top_k": 5}, extra_body={"temperature": 0})
    assert (built["top_k"], built["temperature"]) == (5, 0)


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"no temprature\. Known: .*temperature.*extra_body"):
        body(temprature=1)
    with pytest.raises(ConfigError, match="no tools"):
        completion_body("a", {"tools": []}, model="m")


def test_what_a_stream_is_asked_to_tell() -> None:
    options = {"include_obfuscation": False}
    assert body(stream_options=options)["stream_options"] == options | {"include_usage": True}
    assert body(stream_options={"include_usage": False})["stream_options"] == {"include_usage": False}
    assert "stream_options" not in body(dialect=Dialect(stream_usage=False))


def test_tools_of_every_kind() -> None:
    own = {"type": "web_search"}
    built = body(tools=[weather, own], parallel_tool_calls=False)
    assert built["tools"][0]["function"]["name"] == "weather"
    assert built["tools"][1] == own
    assert built["parallel_tool_calls"] is False
    strict = body(tools=[weather], strict=True)["tools"][0]["function"]
    assert strict["strict"] is True
    assert strict["parameters"]["additionalProperties"] is False
    assert "parallel_tool_calls" not in body(parallel_tool_calls=True)


NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        (True, "required"),
        (False, "none"),
        ("weather", NAMED),
        (NAMED, NAMED),
    ],
)
def test_which_tool_is_chosen(choice: Any, expected: Any) -> None:
    assert body(tools=[weather], tool_choice=choice)["tool_choice"] == expected


def test_a_choice_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="wether.*weather"):
        body(tools=[weather], tool_choice="wether")
    with pytest.raises(ConfigError, match="needs tools"):
        body(tool_choice="any")
    assert "tool_choice" not in body(tool_choice="none")


def test_what_the_answer_has_to_be() -> None:
    described = {"name": "A_point", "schema": SCHEMA}
    assert body(json_schema=SCHEMA)["response_format"] == {"type": "json_schema", "json_schema": described}
    strict = body(json_schema=SCHEMA, strict=True)["response_format"]["json_schema"]
    assert (strict["strict"], strict["schema"]["additionalProperties"]) == (True, False)
    assert body(json_schema={"type": "object"})["response_format"]["json_schema"]["name"] == "answer"
    assert body(response_format="json_object")["response_format"] == {"type": "json_object"}
    assert body(response_format={"type": "text"})["response_format"] == {"type": "text"}
    with pytest.raises(ConfigError, match="both"):
        body(json_schema=SCHEMA, response_format="json_object")


def test_a_completion() -> None:
    assert completion_body("Once", {"max_tokens": 5, "echo": True}, model="m") == USAGE | {
        "model": "m",
        "prompt": "Once",
        "max_tokens": 5,
        "echo": True,
    }
    assert completion_body("Once", {}, model="m", stream=False) == {"model": "m", "prompt": "Once"}


def answered(data: bytes) -> AIMessage:
    stream = ChatStream()
    return gather_message(stream.feed(data) + stream.finish())


def test_calls_that_were_streamed_go_back_whole() -> None:
    (built,) = sent(answered(wires.TOOLS))
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in built["tool_calls"]
    ]
    assert calls == [("call_a", "weather", {"city": "Paris"}), ("call_b", "time", {})]


def test_thoughts_go_back_to_those_who_want_them() -> None:
    thoughtful = answered(wires.OPENROUTER)
    assert sent(thoughtful) == [{"role": "assistant", "content": "Yes."}]
    (built,) = sent(thoughtful, dialect=Dialect(echoed=("reasoning_details",)))
    assert built["reasoning_details"][0]["signature"] == "c2ln"
    assert built["reasoning_details"][0]["text"] == "Hmm."
    (built,) = sent(answered(wires.LLAMA_CPP), dialect=Dialect(echoed=("reasoning_content",)))
    assert built == {"role": "assistant", "content": "Hi", "reasoning_content": "Let me think."}


def test_a_refusal_and_spoken_words_go_back() -> None:
    refusal = answered(wires.wire(wires.piece({"refusal": "No."}), wires.piece(finish="stop")))
    assert sent(refusal) == [{"role": "assistant", "content": None, "refusal": "No."}]
    spoken = AIMessage("", additional_kwargs={"audio": {"id": "a", "data": "AAAA", "transcript": "Hi"}})
    assert sent(spoken) == [{"role": "assistant", "content": None, "audio": {"id": "a"}}]


def test_messages_are_not_changed_by_sending_them() -> None:
    block = {"type": "image", "url": "u"}
    message = HumanMessage([block, "a"])
    assert sent(message) == sent(message)
    assert message == HumanMessage([{"type": "image", "url": "u"}, "a"])
