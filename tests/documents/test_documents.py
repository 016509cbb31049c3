import msgspec
import pytest

from millstream import Document, InputError


def test_a_document_is_its_text_metadata_and_id() -> None:
    document = Document("rivers bend", metadata={"page": 1}, id="a")
    assert (document.page_content, document.metadata, document.id) == ("rivers bend", {"page": 1}, "a")
    assert document == Document(page_content="rivers bend", metadata={"page": 1}, id="a")
    assert document != Document("rivers bend", metadata={"page": 1})


def test_it_is_shown_without_its_id_and_without_what_is_empty() -> None:
    assert repr(Document("a")) == "Document(page_content='a')"
    document = Document("it's\n", metadata={"page": 1}, id="x")
    assert repr(document) == "Document(page_content=\"it's\\n\", metadata={'page': 1})"
    assert str(document) == "page_content='it's\n' metadata={'page': 1}"
    assert str(Document("a")) == "page_content='a'"


def test_metadata_are_each_documents_own() -> None:
    first, second = Document("a"), Document("b")
    first.metadata["page"] = 1
    assert second.metadata == {}


def test_only_the_text_is_given_by_place() -> None:
    with pytest.raises(TypeError):
        Document("a", {"page": 1})  # type: ignore[misc]


def test_a_number_as_an_id_becomes_text() -> None:
    assert Document("a", id=7).id == "7"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [{"page_content": 1}, {"page_content": "a", "metadata": None}, {"page_content": "a", "id": ["x"]}],
)
def test_fields_of_other_kinds_are_refused(fields) -> None:
    with pytest.raises(InputError):
        Document(**fields)


def test_it_goes_through_json() -> None:
    document = Document("日本", metadata={"page": 1}, id="a")
    assert msgspec.json.decode(msgspec.json.encode(document), type=Document) == document
