"""The words of the local model inside tools and functions, while it writes them.

Nobody has to hand anything on. A tool that passes `callbacks` on all the same tells nothing twice.
"""

import asyncio
from typing import Any

from millstream import LocalLLM, Runnable, RunnableLambda, chain, tool

NEWS = {"start": "input", "stream": "chunk", "end": "output"}

model = LocalLLM(temperature=0, max_tokens=2)


@tool
def mouth(river: str) -> str:
    """Where a river ends."""
    return model.invoke(f"The {river} flows into the")


@tool
def mouth_by_hand(river: str, callbacks: Any) -> str:
    """Where a river ends."""
    return model.invoke(f"The {river} flows into the", {"callbacks": callbacks})


async def travel(river: str) -> str:
    return f"Down the {river}, to the" + await model.ainvoke(f"The {river} flows into the")


@chain
async def travel_back(river: str) -> str:
    return "From the" + await model.ainvoke(f"The {river} flows into the") + f", up the {river}"


async def watch(step: Runnable[str, str]) -> None:
    """The events of a run, those of the runs inside it indented."""
    async for event in step.astream_events("Danube"):
        _, _, what = event["event"].rpartition("_")
        indent = "    " * len(event["parent_ids"])
        print(f"{indent}{event['event']} {event['name']} {event['data'][NEWS[what]]!r}")


async def main() -> None:
    for step in (mouth, mouth_by_hand, RunnableLambda(travel), travel_back):
        await watch(step)


if __name__ == "__main__":
    asyncio.run(main())
