import asyncio
import subprocess
import sys
import threading

import pytest

from millstream import Embeddings, RunnableLambda
from millstream.testing import FakeEmbeddings


class Plain(Embeddings):
    def embed_documents(self, texts):
        self.thread = threading.current_thread()
        return [[float(len(text))] for text in texts]


class Awaiting(Embeddings):
    async def aembed_documents(self, texts):
        await asyncio.sleep(0)
        return [[float(len(text))] for text in texts]


class OwnQueries(Plain):
    def embed_query(self, text):
        return [-1.0]


class AwaitedQueries(Awaiting):
    async def aembed_query(self, text):
        await asyncio.sleep(0)
        return [-1.0]


async def in_a_loop(function, *args):
    return function(*args)


@pytest.mark.parametrize("model", [Plain(), Awaiting()], ids=["def", "async def"])
def test_either_colour_serves_both(model) -> None:
    assert model.embed_documents(["ab", "c"]) == [[2.0], [1.0]]
    assert asyncio.run(model.aembed_documents(["ab", "c"])) == [[2.0], [1.0]]
    assert asyncio.run(in_a_loop(model.embed_documents, ["ab", "c"])) == [[2.0], [1.0]]
    assert model.embed_query("abc") == [3.0]
    assert asyncio.run(model.aembed_query("abc")) == [3.0]


@pytest.mark.parametrize("model", [OwnQueries(), AwaitedQueries()], ids=["def", "async def"])
def test_questions_may_be_embedded_in_a_way_of_their_own(model) -> None:
    assert model.embed_query("abc") == [-1.0]
    assert asyncio.run(model.aembed_query("abc")) == [-1.0]
    assert model.embed_documents(["abc"]) == [[3.0]]


def test_a_plain_one_does_not_block_the_loop() -> None:
    model = Plain()
    asyncio.run(model.aembed_documents(["a"]))
    assert model.thread is not threading.main_thread()
    model.embed_documents(["a"])
    assert model.thread is threading.main_thread()


def test_one_that_is_not_written_says_so() -> None:
    with pytest.raises(TypeError, match="Embeddings has neither embed_documents nor aembed_documents"):
        Embeddings().embed_query("a")
    with pytest.raises(TypeError, match="neither"):
        asyncio.run(Embeddings().aembed_documents(["a"]))


def test_what_it_raises_arrives_as_it_is() -> None:
    class Failing(Embeddings):
        async def aembed_documents(self, texts):
            raise LookupError("no server")

    with pytest.raises(LookupError, match="no server"):
        Failing().embed_documents(["a"])


@pytest.mark.parametrize("model", [Plain(), Awaiting()], ids=["def", "async def"])
def test_inside_steps_of_either_colour(colour, model) -> None:
    async def later(text):
        return await model.aembed_query(text)

    assert colour.invoke(RunnableLambda(model.embed_query), "abc") == [3.0]
    assert colour.invoke(RunnableLambda(later), "abc") == [3.0]


def test_a_chain_that_embeds_nests_under_the_step_around() -> None:
    class Chained(Embeddings):
        async def aembed_documents(self, texts):
            return await RunnableLambda(lambda texts, config: [config["tags"] for _ in texts]).ainvoke(texts)

    def step(text):
        return Chained().embed_query(text)

    assert RunnableLambda(step).invoke("a", {"tags": ["outer"]}) == ["outer"]


def test_the_fake_puts_texts_that_share_words_near_each_other() -> None:
    fake = FakeEmbeddings()
    rivers, bends, lamps = fake.embed_documents(["Rivers bend.", "why do rivers bend", "a lamp"])
    assert sum(a * a for a in rivers) == pytest.approx(1)

    def near(first, second):
        return sum(a * b for a, b in zip(first, second, strict=True))

    assert near(rivers, bends) > 0.5 > near(rivers, lamps)
    assert fake.embed_query("bend RIVERS") == pytest.approx(rivers)
    assert fake.embed_query("...") == [0.0] * 64
    assert len(FakeEmbeddings(size=3).embed_query("a")) == 3


def test_the_fake_says_the_same_in_every_process() -> None:
    program = "from millstream.testing import FakeEmbeddings\nprint(FakeEmbeddings(2).embed_query('a b'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(FakeEmbeddings(2).embed_query("a b"))
