"""Functions for a model to call: their schema, calls and the answers to them, and streamed progress."""

from typing import Annotated

from millstream import ToolCall, ToolException, convert_to_openai_tool, tool

RIVERS = {"Danube": 2850, "Rhine": 1233}


@tool
def length(river: Annotated[str, "its English name"], unit: str = "km") -> str:
    """How long a river is."""
    if river not in RIVERS:
        raise ToolException(f"No river is called {river}. Known: {', '.join(RIVERS)}.")
    return f"{RIVERS[river]} {unit}"


@tool
def survey(rivers: list[str]):
    """Measure some rivers, which takes a while."""
    for river in rivers:
        yield f"measuring the {river}"
    return {river: RIVERS[river] for river in rivers}


length.handle_tool_error = True

print(convert_to_openai_tool(length)["function"]["parameters"]["properties"]["river"])
print(length.invoke({"river": "Rhine"}))

# What a model's answer holds in `tool_calls`, and what goes back to it.
for call in (ToolCall("length", {"river": "Danube"}, "1"), ToolCall("length", {"river": "Styx"}, "2")):
    message = length.invoke(call)
    print(message.tool_call_id, message.status, message.content)

for piece in survey.stream({"rivers": ["Danube", "Rhine"]}):
    print(piece)
