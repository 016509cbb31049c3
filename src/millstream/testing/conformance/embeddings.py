"""What all embeddings have to show."""

import math
from typing import Any

from millstream.embeddings import Embeddings
from millstream.errors import AuthenticationError
from millstream.testing.colours import COLOURS, Colour
from millstream.testing.conformance.models import WRONG_KEY, Has, not_applicable, refused


class EmbeddingsSuite:
    """Tests for `Embeddings`: `class TestMine(EmbeddingsSuite)`, with `make_embeddings`."""

    has_key: Has = True
    """Whether a wrong `api_key` is refused; or, in words, why that cannot be shown."""
    texts: tuple[str, ...] = (
        "A river bends.",
        "Ein Fluss",
        "火山 😀 e\N{COMBINING ACUTE ACCENT}",
        "Prices fell on Monday.",
    )
    """Some texts that differ."""

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run each test in both colours."""
        if "colour" in metafunc.fixturenames:
            metafunc.parametrize("colour", COLOURS, ids=lambda colour: colour.name)

    def make_embeddings(self, **options: Any) -> Embeddings:
        """The embeddings to test: to be written. `options` are those that a test is about: `api_key`."""
        raise NotImplementedError(f"{type(self).__name__} has to write make_embeddings(self, **options).")

    def test_each_text_has_a_vector(self, colour: Colour) -> None:
        """Of finite numbers, and all of one length."""
        vectors = colour.embed(self.make_embeddings(), list(self.texts))
        assert len(vectors) == len(self.texts), f"{len(vectors)} vectors for {len(self.texts)} texts"
        assert len({len(vector) for vector in vectors}) == 1, "the vectors are of several lengths"
        assert all(math.isfinite(number) for vector in vectors for number in vector)
        assert all(isinstance(vector, list) for vector in vectors)

    def test_no_texts_have_no_vectors(self, colour: Colour) -> None:
        """And that is no error."""
        assert colour.embed(self.make_embeddings(), []) == []

    def test_vectors_are_in_the_order_of_their_texts(self, colour: Colour) -> None:
        """In another order, each text is nearest to itself."""
        embeddings, texts = self.make_embeddings(), list(self.texts)
        vectors = colour.embed(embeddings, texts)
        back = colour.embed(embeddings, texts[::-1])[::-1]
        for place, again in enumerate(back):
            near = [cosine(vector, again) for vector in vectors]
            assert max(near) == near[place], f"{texts[place]!r} is nearest to another text: {near}"

    def test_a_question_has_a_vector(self, colour: Colour) -> None:
        """As long as those of texts."""
        embeddings = self.make_embeddings()
        question = colour.embed_query(embeddings, self.texts[0])
        [text] = colour.embed(embeddings, [self.texts[0]])
        assert len(question) == len(text), f"{len(question)} numbers for a question, {len(text)} for a text"

    def test_a_wrong_key_is_refused(self, colour: Colour) -> None:
        """As an `AuthenticationError` that does not show it."""
        if self.has_key is not True:
            not_applicable(f"has_key: {self.has_key or 'it takes none'}")
        wrong = self.make_embeddings(api_key=WRONG_KEY)
        error = refused(lambda: colour.embed(wrong, ["x"]), AuthenticationError)
        assert WRONG_KEY not in f"{error!r} {error}", "the key is shown"


def cosine(one: list[float], other: list[float]) -> float:
    """How near two vectors are: 1 if they point the same way."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths
