"""A last step that waits for the whole answer: the stream is one value, and its events are live."""

import asyncio
from typing import Any

from millstream import JsonOutputParser, init_chat_model

QUESTION = "Paris lies on the Seine, Vienna on the Danube. Write the river of each city as JSON."
SCHEMA = {
    "type": "object",
    "properties": {"Paris": {"enum": ["Seine", "Danube"]}, "Vienna": {"enum": ["Seine", "Danube"]}},
    "required": ["Paris", "Vienna"],
}


def sentence(rivers: dict[str, str]) -> str:
    """A plain function: it is called once, with the whole value."""
    return ", ".join(f"{city} on the {river}" for city, river in rivers.items())


model = init_chat_model("local", temperature=0, max_tokens=40).bind(json_schema=SCHEMA)
chain = model | JsonOutputParser() | sentence


async def main() -> None:
    async for value in chain.astream(QUESTION):
        print("stream:", value)

    async for event in chain.astream_events(QUESTION, exclude_names=["RunnableSequence"]):
        if event["event"].endswith("_stream"):
            chunk: Any = event["data"]["chunk"]
            print(f"{event['name']}: {getattr(chunk, 'content', chunk)!r}")


if __name__ == "__main__":
    asyncio.run(main())
