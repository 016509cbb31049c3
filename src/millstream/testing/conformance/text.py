"""What every text model has to show."""

from typing import Any

from millstream.language_models import BaseLLM
from millstream.testing.colours import Colour
from millstream.testing.conformance.models import ModelSuite, not_applicable


class TextModelSuite(ModelSuite):
    """Tests for a `BaseLLM`: `class TestMine(TextModelSuite)`, with `make_model`.

    What a provider lacks is said by a flag. A flag is True; or False, and then the suite checks that the
    model refuses; or a text, why it cannot be shown here, with which its tests are skipped as not applicable.
    Answers that are only looked at are asked for once for the class.
    """

    prompt = "One, two, three, four,"
    long_prompt = "One, two, three, four, five, six, seven,"
    prompts = ("One, two, three,", "Monday, Tuesday,", "A, B, C, D, E,")
    """Several questions whose answers differ."""
    unicode_prompt = "é 火 é 火 é 火 é 火 é"
    """A text beyond ASCII that goes on beyond ASCII."""

    _kind = "llm"

    def make_model(self, **options: Any) -> BaseLLM:
        """The model to test: to be written. At temperature 0, if it has one.

        `options` are those that a test is about: `max_tokens`, `api_key`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to write make_model(self, **options).")

    def test_a_stream_is_of_text(self, colour: Colour) -> None:
        """And so is a whole answer."""
        for item in (*self._pieces(colour), self._whole(colour)):
            assert isinstance(item, str), f"{item!r} is no text"

    def test_several_at_once_get_their_own_answers(self, colour: Colour) -> None:
        """In the order of the questions."""
        if not self.is_deterministic:
            not_applicable("is_deterministic: it may say another thing each time")
        model = self._model(3)
        answers = colour.batch(model, list(self.prompts))
        alone = self._once("alone", make=lambda: [model.invoke(prompt) for prompt in self.prompts])
        assert answers == alone, f"at once: {answers}, one by one: {alone}"

    def test_texts_beyond_ascii(self, colour: Colour) -> None:
        """Go in and come out whole."""
        text = self._joined(colour.stream(self._model(6), self.unicode_prompt))
        assert not text.isascii(), f"nothing beyond ASCII in {text!r}: give another `unicode_prompt`"
        assert "\N{REPLACEMENT CHARACTER}" not in text, f"characters were lost: {text!r}"
        text.encode()

    def _answer_of(self, output: Any) -> str:
        return self._text(output["generations"][0][0]["text"])
