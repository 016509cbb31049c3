"""JSON while it is written: the local model, held to a schema, and four ways to use its answer.

The parser yields the value as it grows. A plain function behind it waits for the last one.
Generator functions, `def` and `async def`, take path events, and yield each name once, as
soon as its closing quote is there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from millstream import JsonEvent, JsonOutputParser, init_chat_model

QUESTION = (
    "Output a list of the countries France, Spain and Japan and their populations in JSON format. "
    'Use a dict with an outer key of "countries" which contains a list of countries. '
    "Each country should have the keys `name` and `population`. "
    "(France: 68000000, Spain: 48000000, Japan: 124000000)"
)
COUNTRY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["name", "population"],
}
SCHEMA = {
    "type": "object",
    "properties": {"countries": {"type": "array", "items": COUNTRY, "minItems": 3, "maxItems": 3}},
    "required": ["countries"],
}


def names(answer: dict[str, Any]) -> list[str]:
    return [country["name"] for country in answer["countries"]]


def finished_names(events: Iterator[JsonEvent]) -> Iterator[str]:
    for event in events:
        match event:
            case JsonEvent(path=("countries", int(), "name"), complete=True, value=name):
                yield name


async def afinished_names(events: AsyncIterator[JsonEvent]) -> AsyncIterator[str]:
    async for event in events:
        match event:
            case JsonEvent(path=("countries", int(), "name"), complete=True, value=name):
                yield name


model = init_chat_model("local", temperature=0, max_tokens=120).bind(json_schema=SCHEMA)
growing = model | JsonOutputParser()
at_the_end = model | JsonOutputParser() | names
one_by_one = model | JsonOutputParser(events=True) | finished_names
aone_by_one = model | JsonOutputParser(events=True) | afinished_names


async def main() -> None:
    for chain in (one_by_one, aone_by_one):
        async for name in chain.astream(QUESTION):
            print(name, end=" ", flush=True)
        print()


if __name__ == "__main__":
    for value in growing.stream(QUESTION):
        print(value, flush=True)
    for value in at_the_end.stream(QUESTION):
        print(value)
    for chain in (one_by_one, aone_by_one):
        for name in chain.stream(QUESTION):
            print(name, end=" ", flush=True)
        print()
    asyncio.run(main())
