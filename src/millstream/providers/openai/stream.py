"""The bytes of a response to chunks: server-sent events, each a piece of an answer, and `[DONE]` behind them.

A chat's pieces carry these, in about this order (a completion likewise, with `text` for `delta`):

1. maybe a piece without choices: Azure's word on the prompt;
2. `choices[i].delta`: first the role, then thoughts, text, fragments of tool calls, a refusal, audio;
3. `choices[i].finish_reason`, with an empty delta;
4. usage, with empty `choices`; some servers tell it with each piece, as it grows;
5. `[DONE]`, which some servers leave out.

An error may stand in place of any piece. What is said once of the whole answer (why it ended, the model's
name, usage, a thought's signature) is held back for the last chunk, so that chunks of text carry text alone.
"""

from typing import Any, Generic, TypeVar

import msgspec

from millstream.errors import JsonLimitError, MillstreamError, StreamTruncated
from millstream.messages import AIMessage, AIMessageChunk, UsageMetadata
from millstream.messages.merge import gather_message
from millstream.messages.merge_calls import merge_usage
from millstream.outputs import GenerationChunk
from millstream.providers.openai.deltas import Details, content_of, fragments_of, kwargs_of
from millstream.providers.openai.pieces import Choice, Delta, Piece, error_of, read_piece, usage_of
from millstream.providers.refusals import refused, words_and_names
from millstream.wire import SseEvent, SseParser
from millstream.wire.sse import MAX_EVENT_BYTES

#: How many characters may be held until the answer ends, of what is told with it: the events with the details
#: of thoughts.
MAX_HELD = 16 * 1024 * 1024

#: Why an answer ended, in OpenAI's four words, by what servers say.
FINISH_REASONS = {
    said: reason
    for reason, words in {
        "stop": "stop eos eos_token end_turn stop_sequence complete",
        "length": "length max_tokens max_length model_length",
        "tool_calls": "tool_calls tool_call tool_use function_call",
        "content_filter": "content_filter content_filtered safety sensitive",
    }.items()
    for said in words.split()
}

Item = TypeVar("Item")


class _Answer:
    """One of the answers, as far as it has come: what its last chunk will say."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.details: Details | None = None

    def ending(self) -> dict[str, Any]:
        """Why it ended, and the server's own word for that if it is another."""
        raw = self.finish_reason
        if raw is None:
            return {}
        reason = FINISH_REASONS.get(raw.lower(), raw)
        return (
            {"finish_reason": reason}
            if reason == raw
            else {"finish_reason": reason, "raw_finish_reason": raw}
        )


class _Usages:
    """What was told of the cost. Each word on the same answers replaces the one before.

    A server that runs `n` answers apart (llama.cpp) tells of each when it has ended, and these add up.
    """

    def __init__(self) -> None:
        # As they were sent: a server may tell it with each piece, and only the last word is read.
        self._of_choice: dict[int, Any] = {}
        self._totals: list[Any] = []
        self._ended_since = False

    def ended(self) -> None:
        """An answer has ended."""
        self._ended_since = True

    def take(self, usage: Any, choice: int | None) -> None:
        """Take what was told beside an answer, or, with None, beside none."""
        if not isinstance(usage, dict) or not usage:
            return
        if choice is not None:
            self._of_choice[choice] = usage
            return
        if self._totals and not self._ended_since:
            self._totals.pop()
        self._totals.append(usage)
        self._ended_since = False

    def together(self) -> UsageMetadata | None:
        """The cost of all answers; None if nothing was told."""
        told = map(usage_of, self._totals or self._of_choice.values())
        return merge_usage([usage for usage in told if usage is not None])


class _Stream(Generic[Item]):
    """A response while it comes: `feed` each piece of its bytes, then `finish`.

    `n` is how many answers were asked for: the pieces of others are dropped. An error that the provider sends
    is raised behind the chunks that came before it, and by each further call.
    """

    def __init__(self, *, n: int = 1, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        #: Whether the answers are whole, and their last chunks given: what follows is passed over.
        self.ended = False
        #: The error that the stream broke off with, which the next call raises.
        self.failed: MillstreamError | None = None
        self._events = SseParser(max_event_bytes=max_event_bytes)
        self._n = n
        self._answers: dict[int, _Answer] = {0: _Answer()}
        self._usages = _Usages()
        #: What was told of the answer so far: the model, its id.
        self.metadata: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        # How long the event is that is read now, and all those of which something is held.
        self._length = self._held = 0

    def feed(self, piece: bytes) -> list[Item]:
        """The chunks that this piece ends.

        Raises the typed error that the provider's error stands for, `ProviderError` for what cannot be
        read, and `SseLimitError` and `JsonLimitError` for an event, or details, beyond all measure.
        """
        if self.failed is not None:
            raise self.failed
        if self.ended:
            return []
        found: list[Item] = []
        try:
            for event in self._events.feed(piece):
                self._take(event, found)
        except MillstreamError as error:
            self.failed = error
            if not found:
                raise
        return found

    def finish(self) -> list[Item]:
        """The response has ended. The chunks that were held back, if it had no `[DONE]`.

        Raises `StreamTruncated` if it broke off before all answers that had begun were finished; and what
        `feed` raises.
        """
        if self.failed is not None:
            raise self.failed
        if self.ended:
            return []
        try:
            self._events.finish()  # an error of its own comes first
            if any(answer.finish_reason is None for answer in self._answers.values()):
                raise StreamTruncated("The provider's stream ended without an end of the answer.")
        except MillstreamError as error:
            self.failed = error
            raise
        return self._end()

    def read(self, piece: Piece) -> list[Item]:
        """The chunks in one piece that was decoded already."""
        found: list[Item] = []
        self._note(piece)
        for choice in piece.choices or ():
            index = _index(choice.index)
            if 0 <= index < self._n:
                self._choice(choice, index, found)
        return found

    def _take(self, event: SseEvent, found: list[Item]) -> None:
        data = event.data
        if self.ended or not data:
            return
        if data[0] == "[" and data.strip() == "[DONE]":
            found.extend(self._end())
        elif event.event == "error":
            raise error_of(data)
        else:
            self._length = len(data)
            found.extend(self.read(read_piece(data)))

    def _note(self, piece: Piece) -> None:
        """Keep what the piece says of the whole."""
        told = self.metadata
        if piece.model and piece.model != told.get("model_name"):
            told["model_name"] = piece.model
        if piece.id and "id" not in told:
            told["id"] = piece.id
        if piece.system_fingerprint is not None:
            told["system_fingerprint"] = piece.system_fingerprint
        if piece.service_tier is not None:
            told["service_tier"] = piece.service_tier
        if piece.citations:
            self._extra["citations"] = piece.citations
        if piece.prompt_filter_results:
            told["prompt_filter_results"] = piece.prompt_filter_results
        if piece.usage is not None:
            beside = _index(piece.choices[0].index) if piece.choices else None
            if beside is None or 0 <= beside < self._n:
                self._usages.take(piece.usage, beside)

    def _choice(self, choice: Choice, index: int, found: list[Item]) -> None:
        if choice.error:
            message, names = words_and_names(choice.error)
            raise refused(message, names)
        answer = self._answers.get(index)
        if answer is None:
            answer = self._answers[index] = _Answer()
        item = self._item(choice, index, answer)
        if item is not None:
            found.append(item)
        if choice.finish_reason:
            if answer.finish_reason is None:
                self._usages.ended()
            answer.finish_reason = str(choice.finish_reason)
        if choice.usage is not None:
            self._usages.take(choice.usage, index)

    def _hold(self) -> None:
        """Something of this event is held until the end."""
        self._held += self._length
        if self._held > MAX_HELD:
            raise JsonLimitError(
                f"The details of the answer's thoughts have more than {MAX_HELD:,} characters."
            )

    def _end(self) -> list[Item]:
        self.ended = True
        usage = self._usages.together()
        return [
            self._last(
                answer, self.metadata | answer.ending() | _numbered(index), usage if index == 0 else None
            )
            for index, answer in sorted(self._answers.items())
        ]

    def _item(self, choice: Choice, index: int, answer: _Answer) -> Item | None:
        """What a choice adds, if it adds anything."""
        raise NotImplementedError

    def _last(self, answer: _Answer, told: dict[str, Any], usage: UsageMetadata | None) -> Item:
        """The chunk that ends an answer."""
        raise NotImplementedError


# What a delta that is a text alone holds beside it.
_BARE = msgspec.structs.astuple(Delta())[1:]


class ChatStream(_Stream[AIMessageChunk]):
    """A chat's response while it comes: `feed` each piece of its bytes, then `finish`.

    Both give chunks, of which the last one of each answer says so (`chunk_position`), and why it ended,
    what it cost and which model it was. If `n` answers were asked for, those of the answers but the first
    say whose they are: `choice_of`. The cost of all is with the first.
    """

    def _item(self, choice: Choice, index: int, answer: _Answer) -> AIMessageChunk | None:
        delta = choice.delta
        if delta is None:
            return None
        values = msgspec.structs.astuple(delta)
        text = values[0]
        if values[1:] == _BARE and type(text) is str and choice.logprobs is None and not index:  # nearly all
            return AIMessageChunk(text) if text else None
        if delta.reasoning_details:
            self._hold()
            answer.details = answer.details or Details()
            answer.details.add(delta.reasoning_details)
        return _full_chunk(delta, choice.logprobs, index)

    def _last(self, answer: _Answer, told: dict[str, Any], usage: UsageMetadata | None) -> AIMessageChunk:
        extra = dict(self._extra)
        if answer.details is not None:
            extra["reasoning_details"] = answer.details.whole()
        return AIMessageChunk(
            "",
            chunk_position="last",
            additional_kwargs=extra,
            response_metadata=told,
            usage_metadata=usage,
        )


class CompletionStream(_Stream[str | GenerationChunk]):
    """A completion's response while it comes: `feed` each piece of its bytes, then `finish`.

    They give texts; and a `GenerationChunk` where there is more to say: log probabilities, of which of
    several answers it is (`choice_of`), and at the end of each why it ended, the model's name, and the
    `usage_metadata`.
    """

    def _item(self, choice: Choice, index: int, answer: _Answer) -> str | GenerationChunk | None:
        text = choice.text if isinstance(choice.text, str) else ""
        info = _logprobs(choice.logprobs)
        if not text and not info:
            return None
        info |= _numbered(index)
        return GenerationChunk(text, info) if info else text

    def _last(self, answer: _Answer, told: dict[str, Any], usage: UsageMetadata | None) -> GenerationChunk:
        return GenerationChunk("", told | self._extra | ({"usage_metadata": usage} if usage else {}))


def choice_of(item: AIMessage | GenerationChunk | str) -> int:
    """Which of several answers a chunk or an answer belongs to, from 0."""
    if isinstance(item, str):
        return 0
    told = (item.generation_info if isinstance(item, GenerationChunk) else item.response_metadata) or {}
    found: int = told.get("choice_index", 0)
    return found


def parse_chat(body: bytes) -> list[AIMessage]:
    """The messages of a chat that was answered at once, one for each choice; usage is with the first.

    Raises as a stream does, and `StreamTruncated` if there is no message in it.
    """
    chunks = _whole(ChatStream, body)
    answers: dict[int, list[AIMessageChunk]] = {}
    for chunk in chunks:
        answers.setdefault(choice_of(chunk), []).append(chunk)
    return [gather_message(each) for _, each in sorted(answers.items())]


def parse_completion(body: bytes) -> list[GenerationChunk]:
    """The texts of a completion that was answered at once, one for each choice. Errors as for
    `parse_chat`."""
    answers: dict[int, GenerationChunk] = {}
    for item in _whole(CompletionStream, body):
        chunk = GenerationChunk(item) if isinstance(item, str) else item
        index = choice_of(chunk)
        answers[index] = answers[index] + chunk if index in answers else chunk
    return [each for _, each in sorted(answers.items())]


def _whole(kind: type[_Stream[Item]], body: bytes) -> list[Item]:
    piece = read_piece(body)
    if not piece.choices:
        raise StreamTruncated("The provider's answer has no choices.")
    for place, choice in enumerate(piece.choices):
        choice.index = place  # some leave it 0
        choice.delta = choice.delta or choice.message
    stream = kind(n=len(piece.choices))
    return stream.read(piece) + stream._end()


def _full_chunk(delta: Delta, logprobs: Any, index: int) -> AIMessageChunk | None:
    content, thoughts = content_of(delta)
    kwargs = kwargs_of(delta, thoughts)
    fragments = fragments_of(delta)
    told = _logprobs(logprobs)
    if not (content or kwargs or fragments or told):
        return None
    told |= _numbered(index)
    chunk = AIMessageChunk(content)
    if kwargs:
        chunk.additional_kwargs = kwargs
    if fragments:
        chunk.tool_call_chunks = fragments
    if told:
        chunk.response_metadata = told
    return chunk


def _logprobs(given: Any) -> dict[str, Any]:
    return {"logprobs": given} if isinstance(given, dict) and given else {}


def _numbered(index: int) -> dict[str, Any]:
    return {"choice_index": index} if index else {}


def _index(given: Any) -> int:
    """A choice's number; 0 if it has none, -1 if that cannot be one."""
    if type(given) is int:
        return given
    if isinstance(given, str) and given.isdecimal() and len(given) < 10:
        return int(given)
    return 0 if given is None or given == "" else -1
