"""The engine with the real model: what it generates, how it stops, what it refuses."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millstream.errors import ContextLengthError, ModelError
from millstream.messages import HumanMessage
from millstream.providers.local.engine import Engine
from millstream.providers.local.request import chat_request, completion_request
from millstream.providers.local.stream import ChatPieces, parse_completion

pytestmark = pytest.mark.local

#: Goes on to the end of the context unless it is stopped: some 15 seconds.
ENDLESS = {"ignore_eos": True, "temperature": 0}
#: Far more than stopping takes, far less than not stopping.
SOON = 5.0

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "age": {"type": "integer", "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def ask(text: str, **parameters: Any) -> bytes:
    return chat_request([HumanMessage(text)], **parameters)


def chat(engine: Engine, body: bytes) -> str:
    pieces = ChatPieces()
    texts: list[str] = []

    def on_piece(piece: bytes) -> bool:
        chunk = pieces.feed(piece)
        texts.append(chunk.text if chunk is not None else "")
        return False

    engine.generate(body, on_piece)
    assert pieces.last().response_metadata["model_name"] == "smollm2"
    return "".join(texts)


def complete(engine: Engine, body: bytes) -> str:
    texts: list[str] = []

    def on_piece(piece: bytes) -> bool:
        text = parse_completion(piece)
        if isinstance(text, str):
            texts.append(text)
        return False

    engine.generate(body, on_piece, kind="completion")
    return "".join(texts)


def is_text(piece: bytes) -> bool:
    return ChatPieces().feed(piece) is not None


def test_a_chat_gives_a_piece_a_token_and_usage(engine: Engine) -> None:
    pieces = ChatPieces()
    chunks = []
    engine.generate(
        ask("Name three colors.", max_tokens=6, temperature=0), lambda p: chunks.append(pieces.feed(p))
    )
    texts = [chunk.text for chunk in chunks if chunk is not None]
    last = pieces.last()
    assert len(texts) == 6
    assert all(texts)
    assert last.usage_metadata is not None
    assert last.usage_metadata.output_tokens == 6
    assert last.usage_metadata.input_tokens == 34
    assert last.response_metadata == {"finish_reason": "length", "model_name": "smollm2"}


def test_a_completion_goes_on_and_honours_stop(engine: Engine) -> None:
    body = completion_request("One, two, three,", max_tokens=12, temperature=0, stop=[" seven"])
    assert complete(engine, body) == " four, five, six,"


def test_nothing_comes_after_true_and_the_slot_is_free(engine: Engine) -> None:
    # One more than there are slots: a generation that went on would make the last ones wait.
    started = time.monotonic()
    for _ in range(engine.parallel + 1):
        pieces: list[bytes] = []

        def third_text(piece: bytes, pieces: list[bytes] = pieces) -> bool:
            pieces.append(piece)
            return sum(map(is_text, pieces)) == 3

        engine.generate(ask("Tell a long story.", extra=ENDLESS), third_text)
        assert is_text(pieces[-1])
        assert sum(map(is_text, pieces)) == 3
    assert time.monotonic() - started < SOON


def test_a_long_prompt_can_be_stopped_before_the_first_word(engine: Engine) -> None:
    progress: list[dict[str, int]] = []

    def second_batch(piece: bytes) -> bool:
        progress.append(json.loads(piece)["prompt_progress"])
        return len(progress) == 3

    engine.generate(ask("word " * 1500, max_tokens=1), second_batch)
    assert len(progress) == 3
    assert progress[-1]["total"] > 1500
    assert progress[-1]["processed"] < 400
    assert chat(engine, ask("Hi", max_tokens=1)) != ""


def test_what_a_callback_raises_is_raised_and_harms_nothing(engine: Engine) -> None:
    error = LookupError("mine")

    def fail(piece: bytes) -> bool:
        raise error

    with pytest.raises(LookupError) as raised:
        engine.generate(ask("Hi", extra=ENDLESS), fail)
    assert raised.value is error
    assert chat(engine, ask("Hi", max_tokens=1)) != ""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to itself")
def test_ctrl_c_stops_a_generation_in_the_main_thread(engine: Engine) -> None:
    pieces: list[Any] = []

    def interrupt() -> None:
        while len(pieces) < 6:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    # `append` is no Python function: the signal is noticed in the engine's own code or nowhere.
    append: Callable[[bytes], Any] = pieces.append
    thread = threading.Thread(target=interrupt)
    thread.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.generate(ask("Tell a long story.", extra=ENDLESS), append)
    thread.join()
    assert time.monotonic() - started < SOON


def test_a_prompt_that_does_not_fit_is_refused_with_both_sizes(engine: Engine) -> None:
    with pytest.raises(ContextLengthError, match=r"\(2531 tokens\).*\(2048 tokens\)"):
        engine.generate(ask("word " * 2500), lambda piece: False)


@pytest.mark.parametrize(
    ("body", "words", "cause"),
    [
        (b"{", "parse error", RuntimeError),
        (b'{"stream":true}', "'messages' is required", ValueError),
        (ask("Hi", extra={"max_tokens": "x"}), "type must be number", None),
        (ask("Hi", json_schema={"type": "bogus"}), "unrecognized type bogus", ValueError),
    ],
)
def test_a_malformed_request_is_a_model_error(
    engine: Engine, body: bytes, words: str, cause: type[Exception] | None
) -> None:
    pieces: list[Any] = []
    with pytest.raises(ModelError, match=words) as raised:
        engine.generate(body, pieces.append)
    assert type(raised.value) is ModelError
    assert type(raised.value.__cause__) is (type(None) if cause is None else cause)
    assert pieces == []


def test_a_schema_makes_both_kinds_write_json(engine: Engine) -> None:
    settings: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "json_schema": SCHEMA}
    answers = (
        chat(engine, ask("A person as JSON", **settings)),
        complete(engine, completion_request("A person as JSON: ", **settings)),
    )
    for answer in map(json.loads, answers):
        assert answer.keys() == {"name", "age"}
        assert isinstance(answer["age"], int)


def test_the_same_seed_says_the_same(engine: Engine) -> None:
    def told(seed: int, temperature: float) -> str:
        return chat(engine, ask("Tell me a story.", max_tokens=8, seed=seed, temperature=temperature))

    assert told(1, 0) == told(2, 0) != ""
    assert told(1, 1.5) == told(1, 1.5)
    assert len({told(seed, 1.5) for seed in range(4)}) > 1


def test_two_streams_run_side_by_side(engine: Engine) -> None:
    speaking: set[str] = set()

    def run(word: str) -> None:
        def until_both_speak(piece: bytes) -> bool:
            if is_text(piece):
                speaking.add(word)
            return len(speaking) == 2

        engine.generate(ask(f"Say {word}.", max_tokens=400, extra=ENDLESS), until_both_speak)
        # Had they waited for each other, the first would have come to its end with the other still silent.
        assert len(speaking) == 2

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ("yes", "no")))


def test_a_callback_that_waits_stalls_no_other_stream(engine: Engine) -> None:
    others: list[str] = []

    def wait_for_others(piece: bytes) -> bool:
        # More than there are slots: the waiting stream's own slot becomes free for them too.
        threads = [
            threading.Thread(target=lambda: others.append(chat(engine, ask("Hi", max_tokens=3))))
            for _ in range(engine.parallel + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return True

    engine.generate(ask("Tell a story.", max_tokens=3), wait_for_others)
    assert len(others) == engine.parallel + 1


def test_the_answer_names_the_model_and_no_path(engine: Engine) -> None:
    pieces: list[Any] = []
    engine.generate(ask("Hi", max_tokens=1), pieces.append)
    assert {json.loads(piece)["model"] for piece in pieces} == {"smollm2"}
    assert not any(str(engine.path).encode() in piece for piece in pieces)
