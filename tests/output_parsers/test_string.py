import asyncio

import pytest

from millstream.errors import InputError
from millstream.messages import AIMessage, AIMessageChunk, HumanMessage
from millstream.output_parsers import BaseOutputParser, StrOutputParser


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("hi", "hi"),
        (AIMessage("hi"), "hi"),
        (HumanMessage("hi"), "hi"),
        (AIMessage([{"type": "text", "text": "a"}, {"type": "image_url"}, "b"]), "ab"),
    ],
)
def test_the_text_of_an_answer(answer, text):
    assert StrOutputParser().invoke(answer) == text
    assert asyncio.run(StrOutputParser().ainvoke(answer)) == text
    assert list(StrOutputParser().stream(answer)) == [text]


def test_a_stream_is_passed_on_one_for_one():
    chunks = ["t", AIMessageChunk("a"), AIMessageChunk([{"type": "text", "text": "b"}]), AIMessageChunk("")]
    assert list(StrOutputParser().transform(chunks)) == ["t", "a", "b", ""]


def test_each_piece_is_out_before_the_next_is_read():
    read = []

    def source():
        for word in ("a", "b"):
            read.append(word)
            yield AIMessageChunk(word)

    stream = StrOutputParser().transform(source())
    assert next(stream) == "a"
    assert read == ["a"]
    stream.close()


def test_other_things_are_refused():
    with pytest.raises(InputError, match="StrOutputParser takes a message or a text, not int"):
        StrOutputParser().invoke(3)
    with pytest.raises(InputError):
        list(StrOutputParser().transform([3]))


def test_a_parser_of_ones_own():
    class Words(BaseOutputParser[list[str]]):
        def parse(self, text):
            return text.split()

    assert Words().invoke(AIMessage("a b")) == ["a", "b"]
    assert list(Words().transform([AIMessageChunk("a "), AIMessageChunk("b")])) == [["a", "b"]]
    with pytest.raises(InputError, match="Words takes"):
        Words().invoke(3)
