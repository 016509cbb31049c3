"""An agent: a model and its tools in a loop, whose answer, calls and results come as one stream.

`python examples/agent.py openai:gpt-4o-mini` asks another model.
"""

import sys

from millstream import (
    TextDelta,
    ToolCallDelta,
    ToolCallReady,
    ToolCallStarted,
    ToolResult,
    create_agent,
    init_chat_model,
    tool,
)


@tool
def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"20 degrees and sunny in {city}"


model = init_chat_model(*sys.argv[1:2] or ["local"], temperature=0, max_tokens=32)
# So small a model calls nothing by itself: it has to, once, and then to answer.
agent = create_agent(model, [weather], tool_choice=["any", "none"], max_steps=2)

with agent.start("How warm is it in Rome?") as run:
    for event in run.events:
        match event:
            case ToolCallStarted(name=name):
                print(f"{name}: ", end="", flush=True)
            case ToolCallDelta(args=text):
                print(text, end="", flush=True)
            case ToolCallReady(args=args):
                print(f"\n> it is called with {args}")
            case ToolResult(output=output):
                print(f"> it answers {output.content!r}")
            case TextDelta(text=text, is_answer=True):
                print(text, end="", flush=True)
    print()
    # The conversation goes in again, with the next question behind it.
    print(f"> {' '.join(message.type for message in run.output['messages'])}")
    print(f"> {run.usage.total_tokens} tokens")
