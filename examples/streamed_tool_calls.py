"""Calls of tools while they are written: what comes, and what it adds up to, on both wires.

Needs `OPENAI_API_KEY` and `ANTHROPIC_API_KEY`.
"""

from millstream import ChatAnthropic, ChatOpenAI, tool


@tool
def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"20 degrees in {city}"


for model in (
    ChatOpenAI("gpt-4o-mini", temperature=0, max_tokens=48),
    ChatAnthropic("claude-haiku-4-5", temperature=0, max_tokens=48),
):
    print(type(model).__name__)
    # "any": it has to call one. Pieces of one call have the same `index`, and only the first of them has its
    # name and id; the sum has them together, and arguments that can be read at any time.
    asked = None
    for chunk in model.bind_tools([weather], tool_choice="any").stream("How warm is it in Rome?"):
        asked = chunk if asked is None else asked + chunk
        for piece in chunk.tool_call_chunks:
            print(f"  {piece.index} {piece.args!r:12} {asked.tool_calls[piece.index].args}")
    for call in asked.tool_calls:
        print(f"  {call.name}({call.args}) -> {weather.invoke(call).content}")
