"""A model that has to call a tool, the tool's result, and the model's answer from it."""

from millstream import HumanMessage, init_chat_model, tool


@tool
def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"20 degrees and sunny in {city}"


TOOLS = {each.name: each for each in [weather]}
model = init_chat_model("local", temperature=0, max_tokens=40).bind_tools(list(TOOLS.values()))
messages = [HumanMessage("How warm is it in Rome?")]

# So small a model calls nothing by itself: it has to. The call's arguments grow while they are written.
asked = None
for chunk in model.stream(messages, tool_choice="weather"):
    asked = chunk if asked is None else asked + chunk
    if chunk.tool_call_chunks:
        print(asked.tool_calls[0].name, asked.tool_calls[0].args)

messages.append(asked)
for call in asked.tool_calls:
    messages.append(TOOLS[call.name].invoke(call))
    print(messages[-1].content)

# "none": no second call, but an answer.
for chunk in model.stream(messages, tool_choice="none"):
    print(chunk.text, end="", flush=True)
print()
