"""What happens in a chain while it answers: events of the local model, and of the parser behind it.

A model alone is one run: a start, pieces, an end. A chain of two steps is three runs, and each tells of
itself while the others go on. Run ids are new each time, so they are not printed.
"""

import asyncio

from millstream import JsonOutputParser, StreamEvent, init_chat_model

QUESTION = "The Rhine is 1233 km long, the Danube 2850 km. Write both rivers as JSON."
RIVER = {
    "type": "object",
    "properties": {"name": {"enum": ["Rhine", "Danube"]}, "km": {"enum": [1233, 2850]}},
    "required": ["name", "km"],
}
SCHEMA = {
    "type": "object",
    "properties": {"rivers": {"type": "array", "items": RIVER, "minItems": 2, "maxItems": 2}},
    "required": ["rivers"],
}

model = init_chat_model("local", temperature=0, max_tokens=16)
chain = model.bind(json_schema=SCHEMA, max_tokens=60) | JsonOutputParser()


def show(event: StreamEvent) -> None:
    """An event on one line; of a message, its content."""
    data = {key: getattr(value, "content", value) for key, value in event["data"].items()}
    print(event["event"], event["name"], data)


async def main() -> None:
    print("A model:")
    events = [event async for event in model.astream_events("Why do rivers bend?")]
    for event in events[:3]:
        show(event)
    print(f"{len(events) - 5} more, and then")
    for event in events[-2:]:
        show(event)

    print("A chain begins:")
    async for event in chain.astream_events(QUESTION):
        if event["event"].endswith("_start"):
            show(event)

    print("Model and parser stream:")
    async for event in chain.astream_events(QUESTION):
        if event["event"] == "on_chat_model_stream":
            print("model ", repr(event["data"]["chunk"].text))
        if event["event"] == "on_parser_stream":
            print("parser", event["data"]["chunk"])
        if event["seq"] == 30:
            print("That is enough.")
            break


if __name__ == "__main__":
    asyncio.run(main())
