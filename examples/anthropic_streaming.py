"""Anthropic's models: text as it is written, events and the reason to stop, and the final message.

Needs `ANTHROPIC_API_KEY`. `ANTHROPIC_BASE_URL` names another server that speaks the same wire.
"""

import asyncio

from millstream import ChatAnthropic, RunDone, TextDelta, UsageReported

chat = ChatAnthropic("claude-haiku-4-5", temperature=0, max_tokens=12)

for chunk in chat.stream("Write one line about a goldfish on the moon."):
    print(chunk.text, end="|", flush=True)
print()


async def main() -> None:
    async for chunk in chat.astream("Write one line about a goldfish on the moon."):
        print(chunk.text, end="|", flush=True)
    print()
    # Leaving closes the connection, and the model writes no more.
    async with chat.astream_events("Write one line about the moon.", version="v2") as events:
        count = 0
        async for event in events:
            count += 1
            if count == 5:
                print("> and so on")
                break
            print(f"> {event['event']} {event['data'].get('chunk', event['data'].get('input'))!r}")


asyncio.run(main())

# One run, with its text, its events and its messages side by side.
with chat.start("Say hello.") as run:
    for event in run.events:
        match event:
            case TextDelta(text=text):
                print(text, end="", flush=True)
            case UsageReported(usage=usage):
                print(f"\n> {usage.input_tokens} tokens read, {usage.output_tokens} written")
            case RunDone():
                print("> done")
    message = run.output
print(f"> {message.text!r} ended by {message.response_metadata['finish_reason']}")
