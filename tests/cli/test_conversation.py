"""A conversation: what the model is sent of it, and what stands in the file it is saved in."""

import json
import os
from pathlib import Path

import pytest

from millstream.cli import saving
from millstream.cli.conversation import Conversation
from millstream.cli.errors import WrongUse
from millstream.cli.schema import read_schema
from millstream.messages import AIMessage, AIMessageChunk, messages_from_dict


def sent(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.type, message.text) for message in conversation.messages()]


def talk() -> Conversation:
    conversation = Conversation("Be kind.")
    conversation.ask("one")
    conversation.answer(AIMessage("first"))
    conversation.ask("two")
    return conversation


def test_the_model_is_sent_all_of_it() -> None:
    conversation = talk()
    assert sent(conversation) == [("system", "Be kind."), ("human", "one"), ("ai", "first"), ("human", "two")]
    conversation.system = None
    assert sent(conversation)[0] == ("human", "one")


def test_a_question_without_an_answer_makes_room_for_the_next() -> None:
    conversation = talk()
    conversation.answer(None)
    conversation.ask("three")
    assert sent(conversation)[-2:] == [("ai", "first"), ("human", "three")]
    assert conversation.question == "three"
    assert Conversation().question is None


def test_json_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "talk.JSON"
    saving.save(talk(), path)
    assert messages_from_dict(json.loads(path.read_text())) == talk().messages()


def test_markdown_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "talk"
    saving.save(talk(), path)
    assert path.read_text() == (
        "## System\n\nBe kind.\n\n## Question\n\none\n\n## Answer\n\nfirst\n\n## Question\n\ntwo\n"
    )


def test_a_link_stays_a_link_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("talk.md")
    saving.save(talk(), tmp_path / "link.md")
    assert sorted(os.listdir(tmp_path)) == ["link.md", "talk.md"]
    assert (tmp_path / "link.md").is_symlink()


def test_a_file_that_cannot_be_replaced_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "talk.md"
    path.write_text("before")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(saving.NotSaved, match=r"is not saved in '.*talk\.md': No space left on device\."):
        saving.save(talk(), path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["talk.md"]


def test_where_nothing_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="There is no folder"):
        saving.check(tmp_path / "not" / "talk.md")
    with pytest.raises(WrongUse, match="is no file"):
        saving.check(tmp_path)
    with pytest.raises(WrongUse, match=r"no name of a file.* such as conversation\.md"):
        saving.check(Path(""))
    saving.check(tmp_path / "talk.md")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is no JSON: "),
        ("[1]", "is no JSON object"),
        ('{"a": 1}', r"The file '.*schema\.json' holds no JSON schema: "),
        ("\xff", "no JSON"),
    ],
)
def test_a_schema_that_is_none(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content, encoding="latin1")
    with pytest.raises(WrongUse, match=said):
        read_schema(path)


def test_chunks_are_saved_as_the_message_they_make() -> None:
    from millstream.cli.answer import _message

    said = _message([AIMessageChunk("a", id="x"), AIMessageChunk("b", id="x")])
    assert said == AIMessage("ab", id="x")
    assert _message([AIMessageChunk("", id="x")]) is None
