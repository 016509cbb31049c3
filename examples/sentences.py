"""A prompt, the local model and a generator function stream together, sync and async.

The generator is given the words as the model writes them, and yields each sentence as
soon as it is whole. It is written twice, `def` and `async def`; both run under both verbs.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

from millstream import ChatPromptTemplate, StrOutputParser, init_chat_model


def cut(text: str) -> tuple[list[str], str]:
    """The whole sentences of a text, and what is left over."""
    *whole, rest = text.split(". ")
    return [sentence + "." for sentence in whole], rest


def sentences(words: Iterator[str]) -> Iterator[str]:
    rest = ""
    for word in words:
        whole, rest = cut(rest + word)
        yield from whole
    if rest:
        yield rest


async def asentences(words: AsyncIterator[str]) -> AsyncIterator[str]:
    rest = ""
    async for word in words:
        whole, rest = cut(rest + word)
        for sentence in whole:
            yield sentence
    if rest:
        yield rest


prompt = ChatPromptTemplate.from_template("Tell me in two sentences why {thing} bend.")
model = init_chat_model("local", max_tokens=48, temperature=0)


async def main() -> None:
    for generator in (sentences, asentences):
        chain = prompt | model | StrOutputParser() | generator
        print(f"{generator.__name__}, async")
        async for sentence in chain.astream({"thing": "rivers"}):
            print(f"  - {sentence}", flush=True)


if __name__ == "__main__":
    for generator in (sentences, asentences):
        chain = prompt | model | StrOutputParser() | generator
        print(f"{generator.__name__}, sync")
        for sentence in chain.stream({"thing": "rivers"}):
            print(f"  - {sentence}", flush=True)
    asyncio.run(main())
