"""Only the events that are wanted: by the name of a step, by its type, by a tag. Here in sync code."""

from collections.abc import Generator
from contextlib import closing
from itertools import islice

from millstream import JsonOutputParser, StreamEvent, init_chat_model

QUESTION = "The Rhine flows through Basel, Cologne and Rotterdam. Write the names of its cities as JSON."
SCHEMA = {
    "type": "array",
    "items": {"enum": ["Basel", "Cologne", "Rotterdam"]},
    "minItems": 3,
    "maxItems": 3,
}

local = init_chat_model("local", temperature=0, max_tokens=40).bind(json_schema=SCHEMA)
model = local.with_config(run_name="model")
my_parser = JsonOutputParser().with_config(run_name="my_parser")
chain = (model | my_parser).with_config(tags=["my_chain"])


def show(stream: Generator[StreamEvent, None, None]) -> None:
    """The first few events, with their tags. Then the run is closed."""
    with closing(stream) as events:
        for event in islice(events, 6):
            data = {key: getattr(value, "content", value) for key, value in event["data"].items()}
            print(event["event"], event["name"], event["tags"], data)


if __name__ == "__main__":
    print("By name:")
    show(chain.stream_events(QUESTION, include_names=["my_parser"]))
    print("By type:")
    show(chain.stream_events(QUESTION, include_types=["chat_model"]))
    print("By tag, which the steps of a chain inherit:")
    show(chain.stream_events(QUESTION, include_tags=["my_chain"]))
