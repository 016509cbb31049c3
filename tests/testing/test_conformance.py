"""The suite for providers finds what is wrong with a model: each flaw, made on purpose, fails its tests."""

import inspect
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Container, Iterator, Sequence
from typing import Any

import pytest

from millstream import AIMessageChunk, BaseLLM, ConfigError, Embeddings, MillstreamError, ModelError
from millstream.testing import COLOURS, EmbeddingsSuite, FakeEmbeddings, TextModelSuite, leaks
from millstream.testing.conformance.leaving import AGAIN, WAYS
from tests.testing.conformance_models import KEY, WORDS, Right, RightSuite, slowly

GIVEN: dict[str, Sequence[Any]] = {"colour": COLOURS, "leave": WAYS, "again": AGAIN}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GRACE_SECONDS", 0.05)


def given_for(asks: Container[str]) -> Sequence[Any]:
    """What a test is run with, as the suite tells pytest."""
    return next((values for name, values in GIVEN.items() if name in asks), [None])


def outcomes(suite: type[Any], *names: str) -> tuple[set[str], dict[str, str]]:
    """Runs tests of a suite as pytest would: those that fail, and those that are not applicable, and why."""
    failed, skipped = set(), {}
    for name in names or [name for name in dir(suite) if name.startswith("test_")]:
        asks = inspect.signature(getattr(suite, name)).parameters
        for given in given_for(asks):
            try:
                getattr(suite(), name)(*[] if given is None else [given])
            except pytest.skip.Exception as reason:
                skipped[name] = str(reason)
            except (AssertionError, MillstreamError, RuntimeError, ValueError):
                failed.add(name)
    return failed, skipped


def test_a_model_that_does_it_all_passes() -> None:
    assert outcomes(RightSuite) == (set(), {})


class IdsChange(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        for number, piece in enumerate(pieces):
            piece.id = f"chunk-{number}"
            yield piece


class OneIdForAll(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        for piece in pieces:
            piece.id = "answer"
            yield piece


class NoLastChunk(Right):
    async def _transform(self, *args: Any, **kwargs: Any) -> AsyncGenerator[AIMessageChunk, None]:
        async for chunk in super()._transform(*args, **kwargs):
            if chunk.chunk_position is None:
                yield chunk


class LastTooEarly(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        pieces[1].chunk_position = "last"
        yield from pieces


class NoUsage(Right):
    def last(self, *args: Any) -> Iterator[AIMessageChunk]:
        for chunk in super().last(*args):
            chunk.usage_metadata = None
            yield chunk


class UsageDoesNotCount(Right):
    def last(self, *args: Any) -> Iterator[AIMessageChunk]:
        for chunk in super().last(*args):
            chunk.usage_metadata = {"input_tokens": 1, "output_tokens": 0, "total_tokens": 7}
            yield chunk


class NoReason(Right):
    def last(self, *args: Any) -> Iterator[AIMessageChunk]:
        for chunk in super().last(*args):
            chunk.response_metadata = {}
            yield chunk


class AllAtOnce(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk("".join(piece.text for piece in pieces))


class AnotherAnswerWhole(Right):
    def _generate(self, messages: Any, **kwargs: Any) -> Any:
        return "Something else."


class PiecesInAnyOrder(Right):
    """As when threads put them together: async only here, so that the colours differ."""

    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        in_thread = threading.current_thread() is not threading.main_thread()
        yield from reversed(pieces) if in_thread else pieces


class Mangled(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        for piece in pieces:
            for byte in piece.text.encode():
                yield AIMessageChunk(bytes([byte]).decode(errors="replace"))


class IgnoresParameters(Right):
    def cut(self, words: list[str], **kwargs: Any) -> tuple[list[str], str]:
        return words, "stop"


class SwallowsTheEnd(Right):
    """Finishes its answer, though nobody wants it."""

    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        try:
            yield from slowly(pieces)
        except GeneratorExit:
            time.sleep(0.25)
            raise


class GoesOnAnyway(Right):
    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        for piece in slowly(pieces):
            try:
                yield piece
            except GeneratorExit:
                yield piece


class LeavesAThread(Right):
    gate = threading.Event()

    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        threading.Thread(target=self.gate.wait).start()
        yield from slowly(pieces)


class WorksOnce(Right):
    """What was left is in the way of what comes next."""

    busy = False

    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        if type(self).busy:
            raise ModelError("busy")
        type(self).busy = True
        yield from slowly(pieces)
        type(self).busy = False


class UntypedErrors(Right):
    def admit(self, messages: Any) -> None:
        if self.api_key != KEY or self.asked(messages) > 1000:
            raise ValueError("400")


class ShowsTheKey(Right):
    def admit(self, messages: Any) -> None:
        try:
            super().admit(messages)
        except Exception as error:
            raise type(error)(f"Refused: {self.api_key}") from error

    def __repr__(self) -> str:
        return f"ShowsTheKey(api_key={self.api_key!r})"


class CallsInFragments(Right):
    """Each of its own index: several calls, none of them whole."""

    def call(self) -> Iterator[AIMessageChunk]:
        for index, chunk in enumerate(super().call()):
            [fragment] = chunk.tool_call_chunks
            yield AIMessageChunk("", tool_call_chunks=[{**_as_dict(fragment), "index": index}])


class CallsWithoutId(Right):
    def call(self) -> Iterator[AIMessageChunk]:
        for chunk in super().call():
            [fragment] = chunk.tool_call_chunks
            yield AIMessageChunk("", tool_call_chunks=[{**_as_dict(fragment), "id": None}])


class NoJson(Right):
    def json(self) -> list[str]:
        return ["I ", "would ", "rather ", "not."]


def _as_dict(fragment: Any) -> dict[str, Any]:
    return {name: getattr(fragment, name) for name in ("name", "args", "id", "index")}


FLAWS: dict[type[Right], set[str]] = {
    IdsChange: {"test_the_chunks_of_an_answer_have_one_id"},
    OneIdForAll: {
        "test_the_chunks_of_an_answer_have_one_id",
        "test_several_at_once_get_their_own_answers",
    },
    NoLastChunk: {"test_the_last_chunk_says_so"},
    LastTooEarly: {"test_the_last_chunk_says_so"},
    NoUsage: {"test_usage_comes_with_the_answer", "test_generate_tells_the_tokens"},
    UsageDoesNotCount: {
        "test_usage_comes_with_the_answer",
        "test_generate_tells_the_tokens",
        "test_an_end_event_holds_the_usage",
        "test_a_system_message_is_read",
        "test_a_conversation_is_read",
        "test_several_at_once_get_their_own_answers",
    },
    NoReason: {
        "test_an_answer_says_why_it_ended",
        "test_max_tokens_cuts_the_answer",
        "test_a_tool_is_called",
    },
    AllAtOnce: {"test_a_stream_comes_in_pieces", "test_leaving_a_stream_ends_it"},
    AnotherAnswerWhole: {
        "test_a_stream_says_what_the_whole_answer_says",
        "test_chunks_add_up_to_the_message",
    },
    PiecesInAnyOrder: {"test_a_long_answer_comes_whole_and_in_order"},
    Mangled: {"test_texts_beyond_ascii", "test_an_answer_is_held_to_a_json_schema"},
    IgnoresParameters: {"test_max_tokens_cuts_the_answer", "test_stop_ends_the_answer_before_a_text"},
    SwallowsTheEnd: {"test_leaving_a_stream_ends_it"},
    GoesOnAnyway: {"test_leaving_a_stream_ends_it"},
    LeavesAThread: {"test_leaving_a_stream_ends_it"},
    WorksOnce: {"test_a_model_that_was_left_answers_again"},
    UntypedErrors: {"test_a_wrong_key_is_refused", "test_a_prompt_that_is_too_long_is_refused"},
    ShowsTheKey: {
        "test_a_wrong_key_is_refused",
        "test_a_prompt_that_is_too_long_is_refused",
        "test_the_key_is_not_shown",
    },
    CallsInFragments: {"test_a_tool_is_called", "test_a_tool_call_grows_in_a_stream"},
    CallsWithoutId: {"test_a_tool_is_called", "test_a_tool_call_grows_in_a_stream"},
    NoJson: {"test_an_answer_is_held_to_a_json_schema"},
}


@pytest.mark.leaks
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("flawed", FLAWS, ids=lambda flawed: flawed.__name__)
def test_a_flaw_is_found(flawed: type[Right]) -> None:
    LeavesAThread.gate.clear()
    suite = type("Suite", (RightSuite,), {"model": flawed})
    failed, skipped = outcomes(suite, *FLAWS[flawed])
    LeavesAThread.gate.set()
    assert failed == FLAWS[flawed]
    assert skipped == {}


def test_every_test_of_the_suite_can_fail() -> None:
    found = set().union(*FLAWS.values())
    # The library itself sees to these; what is empty fails nearly all.
    found |= {"test_events_tell_the_run", "test_it_answers"}
    assert found == {name for name in dir(RightSuite) if name.startswith("test_")}


class Empty(Right):
    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
        yield " "


class EventsOfTwoRuns(Right):
    """Its own pieces are not those of its answer."""

    def stream_events(self, *args: Any, **kwargs: Any) -> Any:
        first, *rest = super().stream_events(*args, **kwargs)
        return iter([first, rest[0], *rest])


def test_what_the_library_sees_to_is_looked_at_as_well() -> None:
    empty = type("Suite", (RightSuite,), {"model": Empty})
    assert outcomes(empty, "test_it_answers")[0] == {"test_it_answers"}
    twice = type("Suite", (RightSuite,), {"model": EventsOfTwoRuns})
    assert outcomes(twice, "test_events_tell_the_run")[0] == {"test_events_tell_the_run"}


def test_pytest_is_loaded_by_those_only_who_run_tests() -> None:
    program = "import sys, millstream.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


FLAGS = {
    "reports_usage": "test_usage_comes_with_the_answer",
    "streams": "test_a_stream_comes_in_pieces",
    "has_max_tokens": "test_max_tokens_cuts_the_answer",
    "has_stop": "test_stop_ends_the_answer_before_a_text",
    "has_key": "test_a_wrong_key_is_refused",
    "has_json": "test_an_answer_is_held_to_a_json_schema",
    "has_tools": "test_a_tool_is_called",
}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_false_only_if_the_model_refuses(flag: str) -> None:
    # This one has it all.
    lacking = type("Suite", (RightSuite,), {flag: False})
    assert outcomes(lacking, FLAGS[flag])[0] == {FLAGS[flag]}


@pytest.mark.parametrize("flag", FLAGS)
def test_what_cannot_be_shown_is_reported_by_name(flag: str) -> None:
    unknown = type("Suite", (RightSuite,), {flag: "the moon is new"})
    failed, skipped = outcomes(unknown, FLAGS[flag])
    assert failed == set()
    assert skipped == {FLAGS[flag]: f"not applicable: {flag}: the moon is new"}


class Strict(Right):
    """Takes no parameters at all, and says so."""

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> Any:
        raise ConfigError("There is no JSON.")

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
        if kwargs:
            raise ConfigError(f"There is no {', '.join(kwargs)}.")
        yield from super()._stream(messages)


def test_a_model_that_refuses_passes() -> None:
    flags = dict.fromkeys(("has_max_tokens", "has_stop", "has_json", "has_tools"), False)
    failed, skipped = outcomes(type("Suite", (RightSuite,), {"model": Strict, **flags}))
    assert failed == set()
    assert list(skipped) == ["test_a_tool_call_grows_in_a_stream"]


class Text(BaseLLM):
    """A text model of the same words."""

    flaw = ""

    def __init__(self, max_tokens: int = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._chat = Right(max_tokens)

    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[Any]:
        words, _ = self._chat.cut([f"{prompt[:6]} ", *WORDS], **kwargs)
        if self.flaw == "mangled":
            words = [word.encode("ascii", "replace").decode() for word in words]
        yield from slowly(words)


class TextSuite(TextModelSuite):
    reports_usage = has_stop = has_max_tokens = has_key = "not looked at here"
    long_tokens = 40
    flaw = ""

    def make_model(self, **options: Any) -> BaseLLM:
        model = Text(**options)
        model.flaw = self.flaw
        return model


def test_a_text_model_passes_and_a_flaw_is_found() -> None:
    assert outcomes(TextSuite)[0] == set()
    mangled = type("Suite", (TextSuite,), {"flaw": "mangled", "unicode_prompt": "ascii"})
    assert outcomes(mangled)[0] == {"test_texts_beyond_ascii"}


class Shuffled(FakeEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return sorted(super().embed_documents(texts))


class OneShort(FakeEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return super().embed_documents(texts)[1:]


class Longer(FakeEmbeddings):
    def embed_query(self, text: str) -> list[float]:
        return [*super().embed_query(text), 0.0]


@pytest.mark.parametrize(
    ("kind", "finds"),
    [
        (FakeEmbeddings, set()),
        (Shuffled, {"test_vectors_are_in_the_order_of_their_texts"}),
        (Longer, {"test_a_question_has_a_vector"}),
        (
            OneShort,
            {
                "test_each_text_has_a_vector",
                "test_vectors_are_in_the_order_of_their_texts",
                "test_a_question_has_a_vector",
            },
        ),
    ],
)
def test_embeddings_pass_and_flaws_are_found(kind: type[Embeddings], finds: set[str]) -> None:
    class Suite(EmbeddingsSuite):
        has_key = "a fake has none"

        def make_embeddings(self, **options: Any) -> Embeddings:
            return kind()

    failed, skipped = outcomes(Suite)
    assert failed == finds
    assert list(skipped) == ["test_a_wrong_key_is_refused"]
