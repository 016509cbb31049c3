"""Messages beside langchain-core's: the same arguments to both, the results as plain dicts."""

import json
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core import messages as theirs

from millstream import messages as ours
from millstream.errors import InputError

CALL = {"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}
BROKEN = {"name": "f", "args": "{", "id": "2", "error": "cut", "type": "invalid_tool_call"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}}
BLOCKS = ["a", {"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "u"}}]

MADE: list[tuple[str, dict[str, Any]]] = [
    ("HumanMessage", {"content": "hi"}),
    ("HumanMessage", {"content": BLOCKS, "id": "1", "name": "eve", "additional_kwargs": {"k": 1}}),
    ("SystemMessage", {"content": "hi", "response_metadata": {"m": [1]}}),
    ("AIMessage", {"content": "hi", "tool_calls": [CALL], "invalid_tool_calls": [BROKEN]}),
    ("AIMessage", {"content": "", "usage_metadata": USAGE}),
    ("ToolMessage", {"content": 42, "tool_call_id": 7, "artifact": {"a": 1}, "status": "error"}),
    ("ChatMessage", {"content": "hi", "role": "critic"}),
    ("HumanMessageChunk", {"content": "hi"}),
    ("SystemMessageChunk", {"content": "hi"}),
    ("ToolMessageChunk", {"content": "hi", "tool_call_id": "1"}),
    ("ChatMessageChunk", {"content": "hi", "role": "critic"}),
    ("AIMessageChunk", {"content": "hi", "usage_metadata": USAGE, "chunk_position": "last"}),
    ("AIMessageChunk", {"content": "", "tool_calls": [CALL], "invalid_tool_calls": []}),
    (
        "AIMessageChunk",
        {"content": "", "tool_call_chunks": [{"name": "f", "args": '{"x": 1}', "id": "1", "index": 0}]},
    ),
]


def both(kind: str, fields: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(ours, kind)(**fields), getattr(theirs, kind)(**fields)


def their_dict(message: Any) -> dict[str, Any]:
    return theirs.message_to_dict(message)


@pytest.mark.parametrize(("kind", "fields"), MADE)
def test_dicts(kind, fields):
    mine, peer = both(kind, fields)
    assert ours.message_to_dict(mine) == their_dict(peer)


@pytest.mark.parametrize(("kind", "fields"), MADE)
def test_dicts_of_either_are_read_by_the_other(kind, fields):
    mine, peer = both(kind, fields)
    assert ours.messages_from_dict(theirs.messages_to_dict([peer])) == [mine]
    assert theirs.messages_from_dict(ours.messages_to_dict([mine])) == [peer]


@pytest.mark.parametrize(("kind", "fields"), MADE)
def test_text_and_pretty_repr(kind, fields):
    mine, peer = both(kind, fields)
    assert mine.text == peer.text
    assert mine.pretty_repr() == peer.pretty_repr()


def test_pretty_print(capsys):
    for message in both("AIMessage", {"content": "hi", "name": "bot", "tool_calls": [CALL]}):
        message.pretty_print()
    printed = capsys.readouterr().out
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


def test_buffer_string():
    mine, peer = zip(*[both(*made) for made in MADE if not made[0].endswith("Chunk")], strict=True)
    assert ours.get_buffer_string(mine) == theirs.get_buffer_string(peer)


@pytest.mark.parametrize(
    "given",
    [
        ["hi", ("ai", "b"), ["system", "c"], ("user", BLOCKS)],
        [{"role": "user", "content": "hi", "name": "eve", "id": "1"}],
        [{"role": "assistant", "content": None, "refusal": "no"}],
        [{"type": "human", "content": "hi"}],
        [{"role": "developer", "content": "hi"}],
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "42", "artifact": 42, "status": "error"},
        ],
    ],
)
def test_convert_to_messages(given):
    mine, peer = ours.convert_to_messages(given), theirs.convert_to_messages(given)
    assert ours.messages_to_dict(mine) == theirs.messages_to_dict(peer)


# --- merging -----------------------------------------------------------------------------------------

counts = st.integers(0, 9)
usages = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts, "total_tokens": st.integers(1, 9)},
    optional={
        "input_token_details": st.dictionaries(st.sampled_from(["audio", "cache_read"]), counts, min_size=1)
    },
)
block_pieces = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": st.text("ab", max_size=2), "index": st.integers(0, 2)}
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda block: block["index"],
)


@st.composite
def chunk_fields(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The arguments of a stream's chunks, where both libraries mean the same."""
    contents = draw(st.sampled_from([st.text("ab c", max_size=3), block_pieces]))
    opened: set[int] = set()
    chunks = []
    for _ in range(draw(st.integers(2, 6))):
        index = draw(st.integers(0, 1))
        piece = {
            "name": None,
            "args": draw(st.sampled_from(['{"x": "', "1", '"}'])),
            "id": None,
            "index": index,
        }
        if index not in opened:
            opened.add(index)
            piece |= {"name": f"tool_{index}", "id": f"call-{index}", "args": ""}
        chunks.append(
            {
                "content": draw(contents),
                "id": draw(st.sampled_from([None, "lc_run-1", "lc_2", "msg-1"])),
                "tool_call_chunks": [piece] if draw(st.booleans()) or piece["id"] else [],
                "usage_metadata": draw(st.none() | usages),
                "additional_kwargs": draw(st.dictionaries(st.sampled_from("pq"), st.text("xy", max_size=2))),
                "response_metadata": draw(st.dictionaries(st.sampled_from("pq"), st.integers(0, 2))),
                "chunk_position": draw(st.sampled_from([None, "last"])),
            }
        )
    return chunks


def merged_fields(message: Any) -> dict[str, Any]:
    fields = {
        name: getattr(message, name)
        for name in ("content", "id", "additional_kwargs", "response_metadata", "chunk_position")
    }
    fields["tool_call_chunks"] = [dict(chunk) for chunk in message.tool_call_chunks]
    fields["usage"] = message.usage_metadata and _details_that_count(dict(message.usage_metadata))
    return fields


def _details_that_count(usage: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in usage.items() if value}


@given(chunk_fields())
def test_merging(chunks):
    mine = [ours.AIMessageChunk(**fields) for fields in chunks]
    peer = [theirs.AIMessageChunk(**fields) for fields in chunks]
    expected = merged_fields(reduce(add, peer))
    assert merged_fields(ours.merge_chunks(mine)) == expected
    assert merged_fields(reduce(add, mine)) == expected


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3)), st.integers(0, 99))
def test_finished_tool_calls(args, cut):
    written = json.dumps(args)
    pieces = [
        {"name": "f", "args": written[:cut], "id": "1"},
        {"name": None, "args": written[cut:], "id": None},
    ]
    mine, peer = (
        reduce(add, [kind("", tool_call_chunks=[{**piece, "index": 0}]) for piece in pieces])
        for kind in (
            ours.AIMessageChunk,
            lambda content, **fields: theirs.AIMessageChunk(content=content, **fields),
        )
    )
    assert mine.tool_calls == peer.tool_calls == [{"name": "f", "args": args, "id": "1", "type": "tool_call"}]
    whole = ours.message_to_dict(ours.to_message(mine))
    assert whole == their_dict(theirs.message_chunk_to_message(peer))


@pytest.mark.parametrize(
    "contents",
    [
        ("a", [{"type": "text", "text": "b"}]),
        ([{"type": "text", "text": "b"}], "a", "c"),
        ([{"type": "text", "text": "b"}], ""),
        (["a"], "b"),
        ([{"type": "text", "text": "a"}], [{"type": "text", "text": "b"}]),
    ],
)
def test_merging_text_with_blocks(contents):
    mine, peer = (
        reduce(add, [kind(content=content) for content in contents])
        for kind in (ours.AIMessageChunk, theirs.AIMessageChunk)
    )
    assert mine.content == peer.content


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("HumanMessageChunk", {}),
        ("SystemMessageChunk", {"id": "1", "additional_kwargs": {"a": "b"}}),
        ("ChatMessageChunk", {"role": "critic"}),
        ("ToolMessageChunk", {"tool_call_id": "1", "status": "error", "artifact": ["x"]}),
    ],
)
def test_merging_other_chunks(kind, fields):
    mine, peer = (
        made("a", fields) + made("b", fields)
        for made in (
            lambda content, fields: getattr(ours, kind)(content=content, **fields),
            lambda content, fields: getattr(theirs, kind)(content=content, **fields),
        )
    )
    assert ours.message_to_dict(mine) == their_dict(peer)


# --- what is different, and meant to be -----------------------------------------------------------------


def pair(first: dict[str, Any], second: dict[str, Any]) -> tuple[Any, Any]:
    """Two chunks added, ours and theirs."""
    first, second = {"content": "", **first}, {"content": "", **second}
    return (
        ours.AIMessageChunk(**first) + ours.AIMessageChunk(**second),
        theirs.AIMessageChunk(**first) + theirs.AIMessageChunk(**second),
    )


def fragment(name: str | None, args: str | None, call: str | None, index: int | None) -> dict[str, Any]:
    return {"tool_call_chunks": [{"name": name, "args": args, "id": call, "index": index}]}


@pytest.mark.differs("repeated-tool-name")
def test_difference_repeated_tool_name():
    mine, peer = pair(fragment("f", "{", "1", 0), fragment("f", "}", "1", 0))
    assert mine.tool_calls[0]["name"] == "f"
    assert peer.tool_calls[0]["name"] == "ff"


@pytest.mark.differs("second-call-on-one-index")
def test_difference_second_call_on_one_index():
    second = fragment("g", "{", "2", 0)
    mine, peer = pair(fragment("f", "{}", "1", 0), second)
    last = {"content": "", **fragment(None, '"x": 1}', None, 0)}
    mine, peer = mine + ours.AIMessageChunk(**last), peer + theirs.AIMessageChunk(**last)
    assert [call["args"] for call in mine.tool_calls] == [{}, {"x": 1}]
    assert [chunk["args"] for chunk in peer.tool_call_chunks] == ['{}"x": 1}', "{"]


@pytest.mark.differs("fragments-without-index")
def test_difference_fragments_without_index():
    mine, peer = pair(fragment("f", '{"x":', "1", None), fragment(None, " 1}", None, None))
    assert mine.tool_calls == [{"name": "f", "args": {"x": 1}, "id": "1"}]
    assert len(peer.tool_call_chunks) == 2


@pytest.mark.differs("null-ids")
def test_difference_null_ids():
    mine, peer = pair(fragment("f", "{", "1", 0), fragment(None, "}", "null", 0))
    assert mine.tool_calls == [{"name": "f", "args": {}, "id": "1"}]
    assert len(peer.tool_call_chunks) == 2


@pytest.mark.differs("repeated-metadata")
def test_difference_repeated_metadata():
    told = {"response_metadata": {"model_name": "gpt-x", "finish_reason": "stop"}}
    mine, peer = pair(told, told)
    assert mine.response_metadata == told["response_metadata"]
    assert peer.response_metadata == {"model_name": "gpt-xgpt-x", "finish_reason": "stopstop"}


@pytest.mark.differs("repeated-names-in-kwargs")
def test_difference_repeated_names_in_kwargs():
    told = {"additional_kwargs": {"function_call": {"name": "f", "arguments": "x"}}}
    mine, peer = pair(told, told)
    assert mine.additional_kwargs == {"function_call": {"name": "f", "arguments": "xx"}}
    assert peer.additional_kwargs == {"function_call": {"name": "ff", "arguments": "xx"}}


@pytest.mark.differs("metadata-that-changes")
@pytest.mark.parametrize(("first", "second"), [(0.5, 0.75), (True, False), ("a", 1)])
def test_difference_metadata_that_changes(first, second):
    told, then = {"response_metadata": {"x": first}}, {"response_metadata": {"x": second}}
    merged = ours.AIMessageChunk("", **told) + ours.AIMessageChunk("", **then)
    assert merged.response_metadata == {"x": second}
    with pytest.raises(TypeError):
        theirs.AIMessageChunk(content="", **told) + theirs.AIMessageChunk(content="", **then)


@pytest.mark.differs("empty-text-before-blocks")
def test_difference_empty_text_before_blocks():
    block = {"type": "text", "text": "a", "index": 0}
    mine, peer = pair({"content": ""}, {"content": [block]})
    assert mine.content == [block]
    assert peer.content == ["", block]


@pytest.mark.differs("text-after-an-empty-list")
def test_difference_text_after_an_empty_list():
    mine, peer = pair({"content": []}, {"content": "a"})
    assert mine.content == ["a"]
    assert peer.content == []


@pytest.mark.differs("texts-in-lists")
def test_difference_texts_in_lists():
    mine, peer = pair({"content": ["a"]}, {"content": ["b"]})
    assert mine.content == ["ab"]
    assert peer.content == ["a", "b"]


@pytest.mark.differs("blocks-of-other-types-on-one-index")
def test_difference_blocks_of_other_types_on_one_index():
    mine, peer = pair(
        {"content": [{"type": "text", "text": "a", "index": 0}]},
        {"content": [{"type": "reasoning", "reasoning": "b", "index": 0}]},
    )
    assert [block["type"] for block in mine.content] == ["text", "reasoning"]
    assert peer.content == [{"type": "text", "text": "a", "reasoning": "b", "index": 0}]


@pytest.mark.differs("ids-of-runs")
def test_difference_ids_of_runs():
    mine, peer = pair({"id": "run-1"}, {"id": "msg-1"})
    assert (mine.id, peer.id) == ("msg-1", "run-1")


@pytest.mark.differs("names-of-chunks")
def test_difference_names_of_chunks():
    mine, peer = pair({"name": "bot"}, {})
    assert (mine.name, peer.name) == ("bot", None)


@pytest.mark.differs("chunks-of-two-kinds")
def test_difference_chunks_of_two_kinds():
    with pytest.raises(InputError):
        ours.AIMessageChunk("a") + ours.HumanMessageChunk("b")
    assert (theirs.AIMessageChunk(content="a") + theirs.HumanMessageChunk(content="b")).content == "ab"


@pytest.mark.differs("messages-do-not-add-up-to-a-prompt")
def test_difference_messages_do_not_add_up_to_a_prompt():
    with pytest.raises(TypeError):
        ours.HumanMessage("a") + ours.HumanMessage("b")
    assert type(theirs.HumanMessage("a") + theirs.HumanMessage("b")).__name__ == "ChatPromptTemplate"


@pytest.mark.differs("a-pair-is-one-message")
def test_difference_a_pair_is_one_message():
    assert ours.convert_to_messages(("human", "hi")) == [ours.HumanMessage("hi")]
    assert [message.text for message in theirs.convert_to_messages(("human", "hi"))] == ["human", "hi"]


@pytest.mark.differs("one-text-is-one-message")
def test_difference_one_text_is_one_message():
    assert ours.convert_to_messages("hi") == [ours.HumanMessage("hi")]
    assert [message.text for message in theirs.convert_to_messages("hi")] == ["h", "i"]


@pytest.mark.differs("broken-arguments-from-openai")
def test_difference_broken_arguments_from_openai():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}
    given = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    [message] = ours.convert_to_messages(given)
    assert message.invalid_tool_calls == [{"name": "f", "args": "{", "id": "1", "error": None}]
    with pytest.raises(json.JSONDecodeError):
        theirs.convert_to_messages(given)


@pytest.mark.differs("repr")
def test_difference_repr():
    assert repr(ours.AIMessageChunk("The", id="1")) == "AIMessageChunk(content='The', id='1')"
    assert "additional_kwargs={}" in repr(theirs.AIMessageChunk(content="The", id="1"))


@pytest.mark.differs("total-tokens")
def test_difference_total_tokens():
    assert ours.UsageMetadata(input_tokens=1, output_tokens=2).total_tokens == 3
    assert "total_tokens" not in theirs.ai.UsageMetadata(input_tokens=1, output_tokens=2)


@pytest.mark.differs("calls-are-structs")
def test_difference_calls_are_structs():
    mine, peer = both("AIMessage", {"content": "", "tool_calls": [CALL]})
    assert mine.tool_calls == peer.tool_calls
    assert mine.tool_calls[0].name == "f"
    assert not isinstance(mine.tool_calls[0], dict)
    assert isinstance(peer.tool_calls[0], dict)
