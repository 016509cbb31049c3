"""What every chat model has to show."""

import json
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, Literal, TypedDict

from millstream.language_models import BaseChatModel
from millstream.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from millstream.testing.colours import Colour
from millstream.testing.conformance.models import ModelSuite, not_applicable, refused

#: CJK, a character beyond the basic plane, and a letter of two code points.
BEYOND_ASCII = "火山 😀 e\u0301"


class Answer(TypedDict):
    """The JSON that a model is held to: a number, and a text that only the schema tells."""

    number: int
    text: Literal["火山 😀 e\u0301"]


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The name of the city.
    """
    return f"It is sunny in {city}, at 20 degrees."


class ChatModelSuite(ModelSuite):
    """Tests for a `BaseChatModel`: `class TestMine(ChatModelSuite)`, with `make_model`.

    What a provider lacks is said by a flag. A flag is True; or False, and then the suite checks that the
    model refuses; or a text, why it cannot be shown here, with which its tests are skipped as not applicable.
    Answers that are only looked at are asked for once for the class.
    """

    prompt = "Say hello, and who you are."
    long_prompt = "Tell me a long story about a river."
    unicode_prompt = "Write the word fire in Japanese, with emoji 😀."
    """A question whose answer goes beyond ASCII."""
    has_json: str | bool = True
    """Whether answers can be held to a JSON schema. If not, the model has to refuse it."""
    has_tools: str | bool = True
    """Whether it can be made to call a tool. If not, the model has to refuse it."""
    tool_options: dict[str, Any] = {}
    """What a call of the model needs beside, to be made to call a tool."""

    _kind = "chat_model"

    def make_model(self, **options: Any) -> BaseChatModel:
        """The model to test: to be written. At temperature 0, if it has one.

        `options` are those that a test is about: `max_tokens`, `api_key`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to write make_model(self, **options).")

    def tool_question(self) -> list[Any]:
        """The messages that ask for the weather in Oslo."""
        return [HumanMessage("What is the weather in Oslo?")]

    def _chat(self, max_tokens: int) -> BaseChatModel:
        model = self._model(max_tokens)
        assert isinstance(model, BaseChatModel)
        return model

    def _sum(self, colour: Colour) -> AIMessageChunk:
        """The sum of the chunks."""
        total: AIMessageChunk = reduce(add, self._pieces(colour))
        return total

    # --- the form of answers ----------------------------------------------------------------------------

    def test_the_chunks_of_an_answer_have_one_id(self, colour: Colour) -> None:
        """And the whole answer has one, another."""
        ids = {chunk.id for chunk in self._pieces(colour)}
        assert len(ids) == 1, f"the chunks of one answer have several ids: {ids}"
        [own] = ids
        assert own, "the chunks have no id"
        assert self._whole(colour).id not in (None, "", own), "two answers have one id, or none"

    def test_the_last_chunk_says_so(self, colour: Colour) -> None:
        """And no other one does."""
        *others, last = self._pieces(colour)
        assert last.chunk_position == "last", f"the last chunk has the position {last.chunk_position!r}"
        assert [chunk for chunk in others if chunk.chunk_position] == [], "a chunk before says it is the last"

    def test_an_answer_says_why_it_ended(self, colour: Colour) -> None:
        """As `finish_reason`, streamed or whole."""
        if not self._has("has_finish_reason"):
            not_applicable("has_finish_reason: it tells none")
        for message in (self._sum(colour), self._whole(colour)):
            reason = message.response_metadata.get("finish_reason")
            assert reason in ("stop", "length"), f"the answer ended by {reason!r}"

    def test_chunks_add_up_to_the_message(self, colour: Colour) -> None:
        """With its text, and what is told beside it."""
        chunks, whole, total = self._pieces(colour), self._whole(colour), self._sum(colour)
        assert isinstance(whole, AIMessage), f"{whole!r} is no AIMessage"
        assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
        assert total.text == self._joined(chunks), f"the sum says {total.text!r}"
        if self.is_deterministic:
            for key in ("finish_reason", "model_name"):
                there, here = total.response_metadata.get(key), whole.response_metadata.get(key)
                assert there == here, f"{key}: {there!r} in the stream, {here!r} in the whole answer"

    def test_usage_comes_with_the_answer(self, colour: Colour) -> None:
        """Streamed or whole."""
        told = self._has("reports_usage")
        for message in (self._sum(colour), self._whole(colour)):
            usage = message.usage_metadata
            assert usage is not None, "the answer has no usage"
            assert usage.estimated is not told, f"estimated or told: {usage}"
            assert usage.input_tokens > 0, f"no tokens for the question: {usage}"
            assert usage.output_tokens > 0, f"no tokens for the answer: {usage}"
            assert usage.total_tokens == usage.input_tokens + usage.output_tokens, f"no sum: {usage}"

    def test_an_end_event_holds_the_usage(self, colour: Colour) -> None:
        """The same as the answer has."""
        *_, end = self._events(colour)
        usage = end["data"]["output"].usage_metadata
        assert usage is not None, "the end event holds no usage"
        assert usage.output_tokens > 0, f"no tokens for the answer: {usage}"

    # --- what is asked ----------------------------------------------------------------------------------

    def test_a_system_message_is_read(self, colour: Colour) -> None:
        """It counts among the tokens of the question."""
        rules = SystemMessage("You are brief and polite, and answer in the language of the question. " * 3)
        self._more(colour, [HumanMessage("Say hello.")], [rules, HumanMessage("Say hello.")])

    def test_a_conversation_is_read(self, colour: Colour) -> None:
        """Messages of both sides count among the tokens of the question."""
        last = HumanMessage("What is my name?")
        history = [HumanMessage("My name is Ada, and I build bridges."), AIMessage("Good morning, Ada!")]
        self._more(colour, [last], [*history, last])

    def _more(self, colour: Colour, few: Sequence[Any], many: Sequence[Any]) -> None:
        answers = [colour.invoke(self._model(2), list(messages)) for messages in (few, many)]
        less, more = (answer.usage_metadata.input_tokens for answer in answers)
        assert all(answer.text for answer in answers), "the answer is empty"
        assert less < more, f"{len(few)} messages are {less} tokens, and {len(many)} are {more}"

    def test_several_at_once_get_their_own_answers(self, colour: Colour) -> None:
        """In the order of the questions: of each, the usage tells how long it was."""
        questions = ["Say hello to Ada" + " and Bob" * place + "." for place in range(3)]
        answers = colour.batch(self._model(2), questions)
        asked = [answer.usage_metadata.input_tokens for answer in answers]
        assert asked == sorted(set(asked)), f"the answers are not in the order of the questions: {asked}"
        assert len({answer.id for answer in answers}) == len(questions), "several answers have one id"
        assert all(answer.text for answer in answers), "an answer is empty"

    def test_texts_beyond_ascii(self, colour: Colour) -> None:
        """Go in and come out whole, streamed or not."""
        streamed = self._joined(colour.stream(self._model(8), self.unicode_prompt))
        whole = self._text(colour.invoke(self._model(4), [self.unicode_prompt, BEYOND_ASCII]))
        for text in (streamed, whole):
            assert "\N{REPLACEMENT CHARACTER}" not in text, f"characters were lost: {text!r}"
            text.encode()
        assert not streamed.isascii(), f"nothing beyond ASCII in {streamed!r}: give another `unicode_prompt`"

    # --- JSON and tools ---------------------------------------------------------------------------------

    def test_an_answer_is_held_to_a_json_schema(self, colour: Colour) -> None:
        """It fills in a stream, is whole at the end, and characters beyond ASCII are what they were."""
        ask = "Write the number 7 and the text as JSON."
        if not self._has("has_json"):
            refused(lambda: colour.invoke(self._chat(60).with_structured_output(Answer), ask))
            return
        *partial, last = colour.stream(self._chat(60).with_structured_output(Answer), ask)
        assert type(last["number"]) is int, f"the number is {last['number']!r}"
        assert last["text"] == BEYOND_ASCII, f"the text is {last['text']!r}"
        assert len(partial) > 2, f"it came in {len(partial) + 1} pieces"

    def test_a_tool_is_called(self, colour: Colour) -> None:
        """With arguments as a dict, and an id; the result goes back, and has an answer."""
        model = self._chat(60)
        if not self._has("has_tools"):
            refused(lambda: self._call(colour, model))
            return
        message = self._call(colour, model)
        call = self._called(message)
        assert isinstance(call.args.get("city"), str), f"the arguments are {call.args!r}"
        assert message.response_metadata.get("finish_reason") == "tool_calls", "it ended for another reason"
        result = ToolMessage(weather(call.args["city"]), tool_call_id=call.id)
        asked = [self.tool_question()[0], message, result]
        answer = colour.invoke(self._chat(8).bind_tools([weather], tool_choice="none"), asked)
        assert answer.text, "the result of the tool got no answer"
        assert answer.tool_calls == [], "a tool was called, where none was to be"

    def test_a_tool_call_grows_in_a_stream(self, colour: Colour) -> None:
        """Its fragments add up to the arguments, and those that are read meanwhile only grow."""
        if not self._has("has_tools"):
            not_applicable("has_tools: it has none")
        model = self._chat(60).bind_tools([weather], tool_choice="required", **self.tool_options)
        chunks = colour.stream(model, self.tool_question())
        fragments = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
        assert len({piece.index for piece in fragments}) == 1, (
            "the fragments of one call have several indices"
        )
        written = "".join(piece.args or "" for piece in fragments)
        call = self._called(reduce(add, chunks))
        assert json.loads(written) == call.args, f"written: {written!r}, read: {call.args!r}"
        self._grows(chunks)

    def _call(self, colour: Colour, model: BaseChatModel) -> Any:
        bound = model.bind_tools([weather], tool_choice="required", **self.tool_options)
        return colour.invoke(bound, self.tool_question())

    def _called(self, message: AIMessage) -> Any:
        """The one call of the tool."""
        calls = message.tool_calls
        assert len(calls) == 1, f"one call was to be made, not {len(calls)}: {message!r}"
        assert calls[0].name == "weather", f"the tool {calls[0].name!r} was called"
        assert calls[0].id, "the call has no id"
        return calls[0]

    def _grows(self, chunks: Sequence[AIMessageChunk]) -> None:
        total, city = AIMessageChunk(""), ""
        for chunk in chunks:
            total = total + chunk
            for call in total.tool_calls:
                now = call.args.get("city", "")
                assert now.startswith(city), f"the argument was {city!r}, and is {now!r} then"
                city = now

    def _answer_of(self, output: Any) -> str:
        return self._text(output)
