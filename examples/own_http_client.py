"""An HTTP client of your own under a model: its limits, its time limits, and what it is to do on requests.

Needs `OPENAI_API_KEY`. Proxies and certificates are arguments of the same clients.
"""

import asyncio

import httpx2

from millstream import ChatOpenAI

limits = httpx2.Limits(max_connections=2, max_keepalive_connections=2)
timeout = httpx2.Timeout(60, connect=5)


def sent(request: httpx2.Request) -> None:
    print(f"> {request.method} {request.url.path}\n", end="")  # in one piece: threads print, too


async def asent(request: httpx2.Request) -> None:
    sent(request)


with httpx2.Client(limits=limits, timeout=timeout, event_hooks={"request": [sent]}) as http:
    chat = ChatOpenAI(http_client=http, temperature=0, max_tokens=8)
    # Three at once, on two connections.
    for answer in chat.batch(["Name a river.", "Name a lake.", "Name a sea."]):
        print(repr(answer.text))


async def main() -> None:
    # An async client belongs to the event loop that it is used in.
    hooks = {"request": [asent]}
    async with httpx2.AsyncClient(limits=limits, timeout=timeout, event_hooks=hooks) as http:
        chat = ChatOpenAI(http_async_client=http, temperature=0, max_tokens=8)
        async for chunk in chat.astream("Name a river."):
            print(chunk.text, end="|", flush=True)
    print()


asyncio.run(main())
