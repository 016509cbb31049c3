"""What type checkers must infer. Not run: mypy and pyright read it (see test_typing.py)."""

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Any, assert_type
from uuid import UUID

from millstream import (
    AIMessage,
    AIMessageChunk,
    AsyncCallbackHandler,
    BaseCallbackHandler,
    BaseChatModel,
    BaseMessage,
    ChatGenerationChunk,
    ChatPromptTemplate,
    CommaSeparatedListOutputParser,
    GenerationChunk,
    JsonEvent,
    JsonOutputParser,
    LLMResult,
    PydanticOutputParser,
    RunLogPatch,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunState,
    StrOutputParser,
    chain,
    create_agent,
)
from millstream.kernel.drive import AsyncStream
from millstream.testing import FakeChatModel, FakeLLM

prompt = ChatPromptTemplate.from_template("{x}")
model: BaseChatModel = FakeChatModel(["hello"])
parser = StrOutputParser()

text = prompt | model | parser
whole: Runnable[dict[str, Any], str] = text
plain_dict: Runnable[dict, str] = text  # type: ignore[type-arg]
assert_type(text, Runnable[dict[str, Any], str])
assert_type(text.invoke({"x": 1}), str)
assert_type(text.stream({"x": 1}), Generator[str, None, None])
assert_type(text.astream({"x": 1}), AsyncStream[str])
assert_type(text.batch([{"x": 1}]), list[str])
assert_type(model.invoke("x"), AIMessage)
assert_type(model.stream("x"), Generator[AIMessageChunk, None, None])
assert_type(FakeLLM(["x"]).invoke("x"), str)


def count(text: str) -> int:
    return len(text)


async def acount(text: str) -> int:
    return len(text)


def each(items: Iterator[str]) -> Iterator[int]:
    yield from (len(item) for item in items)


async def aeach(items: AsyncIterator[str]) -> AsyncIterator[int]:
    async for item in items:
        yield len(item)


assert_type((text | count).invoke({}), int)
assert_type((text | acount).invoke({}), int)
assert_type((text | each).invoke({}), int)
assert_type((text | aeach).invoke({}), int)
assert_type((text | {"a": count}).invoke({}), dict[str, Any])
assert_type((text | RunnablePassthrough[str]()).invoke({}), str)
assert_type(text.with_config(run_name="x").invoke({}), str)
assert_type(text.bind(stop=["x"]).invoke({}), str)
assert_type(text.with_retry().invoke({}), str)
assert_type(text.with_fallbacks([text]).invoke({}), str)
assert_type(text.with_listeners().invoke({}), str)
assert_type(text.map().invoke([{}]), list[str])
assert_type((text | model).invoke({}), AIMessage)


@chain
def shout(text: str) -> str:
    return text.upper()


@chain
def letters(text: str) -> Iterator[str]:
    yield from text


@chain
async def ashout(text: str) -> str:
    return text.upper()


assert_type(shout.invoke("x"), str)
assert_type(letters.invoke("x"), str)
assert_type(ashout.invoke("x"), str)
assert_type((shout | count).invoke("x"), int)

config: RunnableConfig = {"tags": ["a"], "max_concurrency": 4}
text.invoke({"x": 1}, config)
text.invoke({"x": 1}, {"run_name": "mine"})
RunnableParallel(a=count, b=shout).invoke("x")
assert_type(RunnableLambda(count).invoke("x"), int)
assert_type(RunnableLambda(acount).invoke("x"), int)
assert_type((RunnableLambda(count) | str).invoke("x"), str)


@dataclass
class Country:
    name: str


assert_type(JsonOutputParser(target=Country).invoke("{}"), Country)
assert_type((model | JsonOutputParser(target=Country)).invoke("x"), Country)
assert_type(JsonOutputParser(target=list[Country], repair=True).invoke("[]"), list[Country])
assert_type(JsonOutputParser(events=True).invoke("{}"), JsonEvent)
assert_type(next(JsonOutputParser(events=True).stream("{}")).path, tuple[str | int, ...])
assert_type(JsonOutputParser().invoke("{}"), Any)
assert_type((model | JsonOutputParser()).invoke("x"), Any)
assert_type(PydanticOutputParser(pydantic_object=Country).invoke("{}"), Country)
assert_type(CommaSeparatedListOutputParser().invoke("a, b"), list[str])
assert_type(model.with_structured_output(Country).invoke("x"), Country)
assert_type(model.with_structured_output({"type": "object"}).invoke("x"), Any)
assert_type(create_agent(model, [count]).invoke("x"), dict[str, list[BaseMessage]])
assert_type(create_agent(model.with_config(tags=["a"])).invoke({"messages": ["x"]})["messages"][-1].text, str)


async def main() -> None:
    assert_type(await text.ainvoke({}), str)
    async for piece in text.astream({}):
        assert_type(piece, str)
    async for chunk in model.astream("x"):
        assert_type(chunk, AIMessageChunk)
    async with text.astream({}) as stream:
        assert_type(await anext(stream), str)
    async for patch in text.astream_log({}):
        assert_type(patch, RunLogPatch)
    async for log in text.astream_log({}, diff=False):
        assert_type(log.state, RunState)


# Handlers: methods of either colour, with as many of the parameters as one needs.


class Handler(BaseCallbackHandler):
    ignore_chain = True

    def on_llm_new_token(
        self, token: Any, *, chunk: GenerationChunk | ChatGenerationChunk | None = None, **kwargs: Any
    ) -> None: ...

    async def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None: ...


class AsyncHandler(AsyncCallbackHandler):
    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        await super().on_llm_end(response, run_id=run_id, **kwargs)


model.invoke("q", {"callbacks": [Handler(), AsyncHandler()]})
