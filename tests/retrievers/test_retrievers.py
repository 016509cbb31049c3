import asyncio
import threading

import pytest

from millstream import (
    BaseRetriever,
    Document,
    InputError,
    Runnable,
    RunnableLambda,
    RunnablePassthrough,
    StrOutputParser,
)
from millstream.testing import FakeChatModel


class Plain(BaseRetriever):
    def _get_relevant_documents(self, query):
        return [Document(query.upper())]


class Managed(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager=None):
        return [Document(query.upper(), metadata={"run": run_manager.run_id, "tags": run_manager.tags})]


class Awaiting(BaseRetriever):
    async def _aget_relevant_documents(self, query, *, run_manager):
        await asyncio.sleep(0)
        assert run_manager.get_sync().metadata == {}
        return [Document(query.upper())]


class AwaitingUnderTheOtherName(BaseRetriever):
    async def _get_relevant_documents(self, query):
        await asyncio.sleep(0)
        return [Document(query.upper())]


class Both(BaseRetriever):
    def _get_relevant_documents(self, query):
        return [Document("sync")]

    async def _aget_relevant_documents(self, query):
        return [Document("async")]


@pytest.mark.parametrize("kind", [Plain, Managed, Awaiting, AwaitingUnderTheOtherName])
def test_one_method_of_either_colour_serves_every_verb(colour, kind) -> None:
    retriever: Runnable = kind()
    assert [d.page_content for d in colour.invoke(retriever, "a")] == ["A"]
    [found] = colour.stream(retriever, "a")
    assert [d.page_content for d in found] == ["A"]
    assert [d.page_content for (d,) in colour.batch(retriever, ["a", "b"])] == ["A", "B"]
    [found] = colour.transform(retriever, ["a", "b"])
    assert [d.page_content for d in found] == ["AB"]


def test_of_two_methods_each_is_for_its_verbs(colour) -> None:
    assert colour.invoke(Both(), "a") == [Document("async" if colour.name == "async" else "sync")]


def test_a_plain_one_does_not_block_the_loop() -> None:
    class Where(BaseRetriever):
        def _get_relevant_documents(self, query):
            return [Document(str(threading.current_thread() is threading.main_thread()))]

    assert Where().invoke("a") == [Document("True")]
    assert asyncio.run(Where().ainvoke("a")) == [Document("False")]


def test_it_is_a_step_of_a_chain_and_the_chain_streams_after_it(colour) -> None:
    chain = (
        {"context": Plain(), "question": RunnablePassthrough()}
        | RunnableLambda(lambda d: f"{d['context']}: {d['question']}")
        | FakeChatModel([["They ", "bend."]])
        | StrOutputParser()
    )
    assert colour.invoke(chain, "rivers") == "They bend."
    assert [piece for piece in colour.stream(chain, "rivers") if piece] == ["They ", "bend."]
    assert colour.invoke(Plain() | RunnableLambda(str), "a") == "[Document(page_content='A')]"


def test_who_watches_sees_its_name_its_tags_and_its_metadata() -> None:
    told = []
    retriever = Plain(tags=["mine"], metadata={"of": "me"}, name="library").with_listeners(
        on_start=told.append
    )
    retriever.invoke("a", {"tags": ["outer"], "metadata": {"of": "them", "more": 1}})
    [run] = told
    assert (run.name, sorted(run.tags)) == ("library", ["mine", "outer"])
    assert run.metadata == {"of": "them", "more": 1}
    assert Plain().get_name() == "Plain"
    assert Plain._run_type == "retriever"


def test_name_tags_and_metadata_can_be_set_in_the_class() -> None:
    class Mine(Plain):
        name = "library"
        tags = ["mine"]
        metadata = {"of": "me"}

    told = []
    Mine().with_listeners(on_start=told.append).with_config(run_name="Docs").invoke("a")
    assert (told[0].name, told[0].tags, told[0].metadata) == ("Docs", ["mine"], {"of": "me"})
    assert Mine(tags=["other"]).tags == ["other"]


def test_one_without_a_call_of_its_parents_init_works() -> None:
    class Fixed(BaseRetriever):
        def __init__(self, documents):
            self.documents = documents

        def _get_relevant_documents(self, query):
            return self.documents

    assert Fixed([Document("a")]).invoke("q") == [Document("a")]


def test_what_it_calls_nests_under_its_run() -> None:
    def inner(text, config):
        return [Document(str(config["tags"]))]

    class Nesting(BaseRetriever):
        def _get_relevant_documents(self, query, *, run_manager):
            child = {"callbacks": run_manager.get_child()}
            assert RunnableLambda(inner).invoke(query, child) == RunnableLambda(inner).invoke(query)
            return RunnableLambda(inner).invoke(query)

    assert Nesting().invoke("a", {"tags": ["outer"]}) == [Document("['outer']")]


def test_keywords_go_to_a_method_that_takes_some(colour) -> None:
    class Some(BaseRetriever):
        def _get_relevant_documents(self, query, k=2):
            return [Document(query)] * k

    assert len(colour.invoke(Some(), "a", k=3)) == 3
    assert len(colour.invoke(Some().bind(k=1), "a")) == 1
    assert colour.invoke(Plain(), "a", k=3) == [Document("A")]


def test_one_that_is_not_written_says_so(colour) -> None:
    class Nothing(BaseRetriever):
        pass

    with pytest.raises(TypeError, match="Nothing has neither _get_relevant_documents nor"):
        colour.invoke(Nothing(), "a")


def test_one_that_yields_is_refused_when_it_is_written() -> None:
    with pytest.raises(TypeError, match="does not yield"):

        class Yielding(BaseRetriever):
            def _get_relevant_documents(self, query):
                yield Document(query)


def test_an_async_one_behind_a_plain_function(colour) -> None:
    def logged(method):
        return lambda self, query: method(self, query)

    class Logged(BaseRetriever):
        @logged
        async def _aget_relevant_documents(self, query):
            await asyncio.sleep(0)
            return [Document(query)]

    assert colour.invoke(Logged(), "a") == [Document("a")]


def test_an_answer_that_is_no_list_is_an_error(colour) -> None:
    class Wrong(BaseRetriever):
        def _get_relevant_documents(self, query):
            return None

    with pytest.raises(InputError, match=r"Wrong\._get_relevant_documents returns a list .* NoneType"):
        colour.invoke(Wrong(), "a")


def test_what_it_raises_arrives_as_it_is_and_names_the_step(colour) -> None:
    class Failing(BaseRetriever):
        def _get_relevant_documents(self, query):
            raise LookupError("no index")

    with pytest.raises(LookupError, match="no index") as caught:
        colour.invoke(Failing(), "a")
    assert caught.value.__notes__ == ["In the step Failing"]


def test_retries_and_fallbacks_work_as_with_any_step(colour) -> None:
    class Failing(BaseRetriever):
        def _get_relevant_documents(self, query):
            raise LookupError("no index")

    assert colour.invoke(Failing().with_fallbacks([Plain()]), "a") == [Document("A")]
