"""What both kinds of models have to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeVar

from millstream.errors import AuthenticationError, ContextLengthError, MillstreamError
from millstream.language_models.base import LanguageModel
from millstream.outputs import Generation, LLMResult
from millstream.testing.colours import COLOURS, Colour, Sync
from millstream.testing.conformance.leaving import AGAIN, WAYS, Again, Leave
from millstream.testing.leaks import check_leaks

T = TypeVar("T")

#: Whether a provider has a thing; or, in words, why that cannot be shown.
Has = bool | str

#: No provider's key.
WRONG_KEY = "wrong-key-0123456789abcdef"
#: How many tokens an answer has that a test looks at.
SHORT = 6


def not_applicable(why: str) -> NoReturn:
    """End the test, and have it reported with these words."""
    import pytest  # no dependency: whoever runs tests has it

    pytest.skip(f"not applicable: {why}")


def refused(call: Callable[[], Any], kind: type[BaseException] = MillstreamError) -> BaseException:
    """The error of this kind that `call` has to raise."""
    try:
        found = call()
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"a {kind.__name__} was to be raised, not {error!r}") from error
    raise AssertionError(f"a {kind.__name__} was to be raised, and {found!r} was answered")


class ModelSuite:
    """Tests of a model, under the verbs of both colours. A flag is True, False, or why it cannot be shown."""

    reports_usage: Has = True
    """Whether it tells how many tokens it took. If not, they have to be estimated, and flagged as such."""
    has_finish_reason: Has = True
    """Whether it tells why an answer ended."""
    streams: Has = True
    """Whether answers come in several pieces. If not, they come in one."""
    has_max_tokens: Has = True
    """Whether answers can be cut by `max_tokens`. If not, the model has to refuse it."""
    has_stop: Has = True
    """Whether answers end before the texts in `stop`. If not, the model has to refuse it."""
    has_key: Has = True
    """Whether a wrong `api_key` is refused. If not, the model must not take one."""
    is_deterministic: bool = True
    """Whether it gives the same answer to the same question twice."""

    prompt: str
    """A question with an answer of ten tokens or more."""
    long_prompt: str
    """A question whose answer goes on for `long_tokens` tokens."""
    long_tokens: int = 200
    """How many tokens of a long answer are asked for."""
    too_long: str | None = None
    """A prompt that is longer than the model takes; None if there is none."""
    secret: str | None = None
    """The key in use, which nothing may show; None if there is none."""
    leaving_seconds: float = 1.0
    """How long it may take to leave a stream."""

    _kind: ClassVar[str]
    _kept: ClassVar[dict[Any, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._kept = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run each test in the colours, or the ways, that it asks for."""
        if "colour" in metafunc.fixturenames:
            metafunc.parametrize("colour", COLOURS, ids=lambda colour: colour.name)
        if "again" in metafunc.fixturenames:
            metafunc.parametrize("again", AGAIN, ids=lambda again: again.__name__)
        if "leave" in metafunc.fixturenames:
            metafunc.parametrize("leave", WAYS, ids=lambda leave: leave.__name__)

    def make_model(self, **options: Any) -> LanguageModel[Any, Any]:
        """The model to test: to be written. At temperature 0, if it has one.

        `options` are those that a test is about: `max_tokens`, `api_key`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to write make_model(self, **options).")

    # --- what the tests are made of ---------------------------------------------------------------------

    def _has(self, flag: str) -> bool:
        """What a flag says. If it says why a thing cannot be shown, the test ends here."""
        has: Has = getattr(self, flag)
        if isinstance(has, str):
            not_applicable(f"{flag}: {has}")
        return bool(has)

    def _once(self, *what: Any, make: Callable[[], T]) -> T:
        """What a test only looks at: made once for the class."""
        if what not in self._kept:
            self._kept[what] = make()
        kept: T = self._kept[what]
        return kept

    def _model(self, max_tokens: int = SHORT) -> LanguageModel[Any, Any]:
        return (
            self.make_model() if self.has_max_tokens is not True else self.make_model(max_tokens=max_tokens)
        )

    def _whole(self, colour: Colour) -> Any:
        """The answer to `prompt`."""
        return self._once("whole", colour.name, make=lambda: colour.invoke(self._model(), self.prompt))

    def _pieces(self, colour: Colour) -> list[Any]:
        """The same as a stream."""
        return self._once("pieces", colour.name, make=lambda: colour.stream(self._model(), self.prompt))

    def _events(self, colour: Colour) -> list[Any]:
        """The events of the same."""
        return self._once("events", colour.name, make=lambda: colour.events(self._model(), self.prompt))

    def _generated(self, colour: Colour, **kwargs: Any) -> tuple[Generation, LLMResult]:
        """What `generate` tells of one answer, and of all."""
        result = colour.generate(self._model(), [self.prompt], **kwargs)
        [[generation]] = result.generations
        return generation, result

    @staticmethod
    def _text(item: Any) -> str:
        return item if isinstance(item, str) else str(item.text)

    def _joined(self, items: Sequence[Any]) -> str:
        return "".join(self._text(item) for item in items)

    # --- answers ----------------------------------------------------------------------------------------

    def test_it_answers(self, colour: Colour) -> None:
        """A question has an answer."""
        assert self._text(self._whole(colour)).strip(), "the answer is empty"

    def test_a_stream_comes_in_pieces(self, colour: Colour) -> None:
        """As many as the model writes, and not all at once."""
        texts = [text for item in self._pieces(colour) if (text := self._text(item))]
        if self._has("streams"):
            assert len(texts) > 2, f"the answer came in {len(texts)} pieces: {texts}"
        else:
            assert len(texts) == 1, f"a model that does not stream gave {len(texts)} pieces"

    def test_a_stream_says_what_the_whole_answer_says(self, colour: Colour) -> None:
        """Word for word."""
        if not self.is_deterministic:
            not_applicable("is_deterministic: it may say another thing each time")
        whole, streamed = self._text(self._whole(colour)), self._joined(self._pieces(colour))
        assert streamed == whole, f"streamed: {streamed!r}, whole: {whole!r}"

    def test_a_long_answer_comes_whole_and_in_order(self) -> None:
        """In both colours."""
        self._has("streams")
        model = self._model(self.long_tokens)
        sync, other = (self._joined(colour.stream(model, self.long_prompt)) for colour in COLOURS)
        for text in (sync, other):
            assert len(text) > self.long_tokens, (
                f"{len(text)} characters are less than {self.long_tokens} tokens: give a `long_prompt` whose "
                f"answer is longer, or fewer `long_tokens`. It was: {text!r}"
            )
        if self.is_deterministic:
            assert sync == other, f"sync: {sync!r}, async: {other!r}"

    def test_generate_tells_the_tokens(self, colour: Colour) -> None:
        """In an `LLMResult`, with the text."""
        generation, result = self._generated(colour)
        assert generation.text.strip(), "the answer is empty"
        assert result.llm_output is not None
        told = result.llm_output["token_usage"]
        assert bool(told.get("estimated")) is not self._has("reports_usage"), f"estimated or told: {told}"
        asked, answered = told["prompt_tokens"], told["completion_tokens"]
        assert asked > 0, f"no tokens for the question: {told}"
        assert answered > 0, f"no tokens for the answer: {told}"
        assert told["total_tokens"] == asked + answered, f"they do not add up: {told}"

    # --- parameters -------------------------------------------------------------------------------------

    def test_max_tokens_cuts_the_answer(self, colour: Colour) -> None:
        """Given to the model or to a call; and the answer says that it was cut."""
        if not self._has("has_max_tokens"):
            refused(lambda: colour.invoke(self.make_model(), self.prompt, max_tokens=3))
            return
        for model, kwargs in ((self.make_model(max_tokens=3), {}), (self._model(), {"max_tokens": 3})):
            result = colour.generate(model, [self.prompt], **kwargs)
            [[generation]] = result.generations
            self._ended(generation, "length")
            assert result.llm_output is not None
            answered = result.llm_output["token_usage"]["completion_tokens"]
            assert answered <= 3, f"{answered} tokens, where 3 were the most"

    def test_stop_ends_the_answer_before_a_text(self, colour: Colour) -> None:
        """Which is not in the answer then."""
        if not self._has("has_stop"):
            refused(lambda: colour.invoke(self._model(), self.prompt, stop=["e"]))
            return
        text = self._text(self._whole(colour))
        at = next(i for i, char in enumerate(text) if i > 1 and char.isalpha() and char not in text[:i])
        stopped, _ = self._generated(colour, stop=[text[at]])
        assert text[at] not in stopped.text, f"it was to stop before {text[at]!r}, and said {stopped.text!r}"
        self._ended(stopped, "stop")
        if self.is_deterministic:
            assert stopped.text.strip() == text[:at].strip(), f"stopped: {stopped.text!r}, whole: {text!r}"

    def _ended(self, generation: Generation, reason: str) -> None:
        told = (generation.generation_info or {}).get("finish_reason")
        assert told == reason, f"the answer ended by {reason!r}, and says {told!r}"

    # --- leaving ----------------------------------------------------------------------------------------

    def test_leaving_a_stream_ends_it(self, leave: Leave) -> None:
        """At once, whichever way, with nothing left open."""
        if not self._has("streams"):
            not_applicable("streams: an answer that comes at once cannot be left")
        self._whole(Sync())  # opens what is kept between calls
        model = self._model(max(self.long_tokens, 100))
        with check_leaks():
            seconds = leave(model, self.long_prompt)
        assert seconds < self.leaving_seconds, f"leaving took {seconds:.1f} s"

    def test_a_model_that_was_left_answers_again(self, again: Again) -> None:
        """What was left is not in the way."""
        if not self._has("streams"):
            not_applicable("streams: an answer that comes at once cannot be left")
        assert self._text(again(self._model(), self.long_prompt, self.prompt)), "the answer is empty"

    # --- errors and secrets -----------------------------------------------------------------------------

    def test_a_prompt_that_is_too_long_is_refused(self, colour: Colour) -> None:
        """As a `ContextLengthError`, streamed or whole."""
        if self.too_long is None:
            not_applicable("too_long: no prompt is too long")
        model = self._model()
        for run in (partial(colour.invoke, model), partial(colour.stream, model)):
            self._silent(refused(partial(run, self.too_long), ContextLengthError))

    def test_a_wrong_key_is_refused(self, colour: Colour) -> None:
        """As an `AuthenticationError`, streamed or whole, that does not show it."""
        if not self._has("has_key"):
            refused(lambda: self.make_model(api_key=WRONG_KEY), TypeError)
            return
        model = self.make_model(api_key=WRONG_KEY)
        for run in (partial(colour.invoke, model), partial(colour.stream, model)):
            error = refused(partial(run, self.prompt), AuthenticationError)
            assert isinstance(error, AuthenticationError)
            assert not error.retryable, "to try the same key again is of no use"
            self._silent(error, WRONG_KEY)

    def test_the_key_is_not_shown(self) -> None:
        """By the model, or by a chain that it is in."""
        if self.secret is None:
            not_applicable("secret: there is no key")
        model = self.make_model()
        for shown in (repr(model), str(model), repr(model.bind(stop=["x"]) | str)):
            self._silent(shown)

    def _silent(self, shown: Any, *secrets: str) -> None:
        """Assert that no secret is shown."""
        said = f"{shown!r} {shown!s} {getattr(shown, '__notes__', '')}"
        for secret in (*secrets, self.secret):
            assert secret is None or secret not in said, "the key is shown"

    # --- events -----------------------------------------------------------------------------------------

    def test_events_tell_the_run(self, colour: Colour) -> None:
        """A start, the pieces, and an end that holds all of them."""
        events = self._events(colour)
        names = [event["event"] for event in events]
        start, stream, end = (f"on_{self._kind}_{what}" for what in ("start", "stream", "end"))
        assert names[0] == start, f"the first event is {names[0]}"
        assert names[-1] == end, f"the last event is {names[-1]}"
        assert set(names[1:-1]) == {stream}, f"between start and end there are {sorted(set(names[1:-1]))}"
        assert len({event["run_id"] for event in events}) == 1, "the events of one run have several ids"
        streamed = self._joined([event["data"]["chunk"] for event in events[1:-1]])
        answer = self._answer_of(events[-1]["data"]["output"])
        assert streamed == answer, f"streamed: {streamed!r}, at the end: {answer!r}"
        self._silent(events)

    def _answer_of(self, output: Any) -> str:
        """The text of what the end event holds."""
        raise NotImplementedError
