"""Messages, chunks and cuts for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from millstream.messages import AIMessageChunk, ToolCallChunk, UsageMetadata

texts = st.text(max_size=12)
counts = st.integers(min_value=0, max_value=1000)
details = st.dictionaries(st.sampled_from(["audio", "cache_read", "reasoning"]), counts, max_size=3)
usages = st.builds(
    UsageMetadata,
    input_tokens=counts,
    output_tokens=counts,
    total_tokens=st.just(0),
    input_token_details=details,
    output_token_details=details,
    estimated=st.booleans(),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(texts, json_values, max_size=3)


@st.composite
def fragment_streams(draw: st.DrawFn) -> list[ToolCallChunk]:
    """Fragments as one provider sends them: indexed or not, ids repeated or not, heads missing at first."""
    indexed = draw(st.booleans())
    heads: dict[int | None, tuple[str | None, str | None]] = {}
    fragments = []
    for number in range(draw(st.integers(0, 9))):
        index = draw(st.integers(0, 2)) if indexed else None
        args = draw(st.sampled_from(["1", "}", "{"]))
        opens = draw(st.booleans())
        if opens:
            heads[index] = (f"tool_{number}", f"call-{number}")
            args = draw(st.sampled_from([None, "", args]))
        name, call = heads.get(index, (None, None)) if opens or draw(st.booleans()) else (None, None)
        fragments.append(ToolCallChunk(name, args, call, index))
    return fragments


@st.composite
def streams(draw: st.DrawFn) -> list[AIMessageChunk]:
    """Three chunks of one stream."""
    fragments = draw(fragment_streams())
    first, second = sorted([draw(st.integers(0, len(fragments))), draw(st.integers(0, len(fragments)))])
    parts = (fragments[:first], fragments[first:second], fragments[second:])
    return [draw(chunks_with(st.just(part))) for part in parts]


def chunks_with(fragments: st.SearchStrategy[list[ToolCallChunk]]) -> st.SearchStrategy[AIMessageChunk]:
    """Chunks with text, usage and these fragments."""
    return st.builds(
        AIMessageChunk,
        texts,
        id=st.sampled_from([None, "", "run-1", "lc_run-2", "msg-1"]),
        tool_call_chunks=fragments,
        usage_metadata=st.none() | usages,
        chunk_position=st.sampled_from([None, None, "last"]),
    )
