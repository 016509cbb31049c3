"""Attributes of users' classes that are given as keywords, as those who come from pydantic write them."""

from typing import Any, ClassVar

import pytest
from pydantic import Field, PrivateAttr

from millstream import BaseCallbackHandler, BaseRetriever, BaseTool, ConfigError, Document

TEXTS = [Document("rivers"), Document("lamps"), Document("rivers bend")]


class Keeper(BaseTool):
    name: str = "keeper"
    description: str = "keeps words"
    limit: int = 10
    kept: list[str] = []  # as pydantic's users write it
    counts: dict[str, int] = Field(default_factory=dict)
    sign: str = Field("!", description="behind each word")
    kinds: ClassVar[list[str]] = ["class"]
    _seen: set[str] = PrivateAttr(default_factory=set)
    _calls: int = PrivateAttr(default=0)

    def _run(self, word: str) -> str:
        self.kept.append(word + self.sign)
        self.counts[word] = self.counts.get(word, 0) + 1
        self._seen.add(word)
        self._calls += 1
        return f"{self.kept} {self.counts} {sorted(self._seen)} {self._calls}"


class Finder(BaseRetriever):
    docs: list[Document]
    k: int = 1

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Document]:
        return [each for each in self.docs if query in each.page_content][: self.k]


def test_each_object_has_defaults_of_its_own(colour):
    first, second = Keeper(), Keeper(sign="?", kept=["given"])
    assert colour.invoke(first, "a") == "['a!'] {'a': 1} ['a'] 1"
    assert colour.invoke(second, "b") == "['given', 'b?'] {'b': 1} ['b'] 1"
    assert colour.invoke(Keeper(), "c") == "['c!'] {'c': 1} ['c'] 1"
    assert (Keeper.kept, first.kinds is Keeper.kinds) == ([], True)


def test_a_retriever_takes_its_attributes(colour):
    assert colour.invoke(Finder(docs=TEXTS), "rivers") == TEXTS[:1]
    found = Finder(docs=TEXTS, k=2, name="finder", tags=["t"])
    assert colour.invoke(found, "rivers") == [TEXTS[0], TEXTS[2]]
    assert (found.get_name(), found.tags, Finder(docs=[]).get_name()) == ("finder", ["t"], "Finder")


def test_what_is_missing_or_unknown_is_said():
    class Needs(Keeper):
        where: str
        how: str = Field(description="in which way")

    with pytest.raises(ConfigError, match="Finder needs docs: give it as a keyword"):
        Finder()
    with pytest.raises(
        ConfigError, match="Finder has no doc. It has: callbacks, docs, k, metadata, name, tags"
    ):
        Finder(docs=[], doc=1)
    with pytest.raises(ConfigError, match="Needs needs how, where: "):
        Needs()
    with pytest.raises(ConfigError, match="Keeper has no kinds"):
        Keeper(kinds=[])
    assert Needs(where="here", how="so").how == "so"


def test_a_class_with_an_init_may_set_them_later(colour):
    class Later(BaseRetriever):
        docs: list[Document]

        def __init__(self) -> None:
            super().__init__()
            self.docs = TEXTS

        async def _aget_relevant_documents(self, query: str) -> list[Document]:
            return self.docs

    assert colour.invoke(Later(), "x") == TEXTS


def test_a_list_in_the_class_is_copied_and_what_is_in_it_is_not():
    handler = BaseCallbackHandler()

    class Finder(BaseRetriever):
        callbacks: list = [handler]

        def _get_relevant_documents(self, query):
            return []

    first, second = Finder(), Finder()
    assert first.callbacks is not second.callbacks
    assert first.callbacks[0] is second.callbacks[0] is handler
