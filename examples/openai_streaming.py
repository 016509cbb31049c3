"""OpenAI's models: chats and texts, streamed sync and async, several at once, and the tokens that they took.

Needs `OPENAI_API_KEY`. `OPENAI_BASE_URL` names another server that speaks the same wire.
"""

import asyncio

from millstream import ChatOpenAI, OpenAI

chat = ChatOpenAI("gpt-4o-mini", temperature=0, max_tokens=12)

# Chunks add up to the answer; the last one has the usage.
answer = None
for chunk in chat.stream("Name three rivers."):
    print(chunk.text, end="", flush=True)
    answer = chunk if answer is None else answer + chunk
print()
print(f"> {answer.usage_metadata.total_tokens} tokens, ended by {answer.response_metadata['finish_reason']}")


async def ask(name: str, question: str) -> tuple[str, str]:
    """An answer, piece by piece. The stream is closed wherever its reader leaves it."""
    pieces = []
    async with chat.astream(question) as chunks:
        async for chunk in chunks:
            pieces.append(chunk.text)
    return name, "".join(pieces)


async def main() -> None:
    questions = {"long": "Name a long river.", "deep": "Name a deep lake."}
    for name, text in await asyncio.gather(*(ask(*each) for each in questions.items())):
        print(f"> {name}: {text!r}")


asyncio.run(main())

# A text model goes on with the text that it is given.
llm = OpenAI("gpt-3.5-turbo-instruct", temperature=0, max_tokens=4)
for text in llm.stream("The capital of France is"):
    print(text, end="|", flush=True)
print()

# Several texts at once, and what they took together.
result = llm.generate(["The capital of Spain is", "The capital of Italy is"])
for [generation] in result.generations:
    print(repr(generation.text), generation.generation_info["finish_reason"])
print(result.llm_output["token_usage"])
