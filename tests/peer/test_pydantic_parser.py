"""`PydanticOutputParser` beside langchain-core's: objects as they fill, and the validated one."""

import json
from typing import Any

import pydantic.v1
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from tests.peer.compare import COLOURS, EVERY, Case, Differs, compare, each, fails, gives, outcome
from tests.peer.json_texts import Countries, Country, cut, places, quiet, styles, tokens
from tests.peer.libraries import OURS, PEER


class Address(BaseModel):
    """All of it may be missing."""

    street: str = ""
    number: int | None = None
    tags: list[str] = []


class Person(BaseModel):
    name: str
    address: Address = Address()


class Named(BaseModel):
    name: str = Field(alias="Full Name")


class Grown(BaseModel):
    age: int

    @field_validator("age")
    @classmethod
    def adult(cls, age: int) -> int:
        if age < 18:
            raise ValueError("too young")
        return age


def parser_of(model: Any) -> Any:
    return lambda lib: lib.PydanticOutputParser(pydantic_object=model)


ANSWER = '{"street": "Elm Row", "number": 12, "tags": ["a", "b"]}'
COUNTRIES = '{"countries": [{"name": "France", "population": 67413000}]}'
# An invalid answer in pieces differs: below.
NO_PIECES = ["invoke", "stream", "batch", "batch with errors"]
WHOLE = [
    Case("an object", parser_of(Address), input=ANSWER, pieces=[ANSWER]),
    Case("countries", parser_of(Countries), input=COUNTRIES, pieces=[COUNTRIES]),
    Case("in a fence", parser_of(Countries), input=f"```json\n{COUNTRIES}\n```", pieces=[COUNTRIES, "\n```"]),
    Case(
        "nested",
        parser_of(Person),
        input='{"name": "Ann", "address": {"number": 1}}',
        pieces=['{"name": "A"}'],
    ),
    Case("an alias", parser_of(Named), input='{"Full Name": "Ann"}', pieces=['{"Full Name": "Ann"}']),
    Case("a validator", parser_of(Grown), input='{"age": "18"}', pieces=['{"age": 18}']),
    Case("unknown keys", parser_of(Address), input='{"x": 1}', pieces=['{"x": 1}']),
    Case("nothing", parser_of(Address), input="", pieces=[]),
    Case("what is missing", parser_of(Country), input='{"name": "France"}', verbs=NO_PIECES),
    Case("what is not valid", parser_of(Grown), input='{"age": 3}', verbs=NO_PIECES),
    Case("no object", parser_of(Country), input="[1]", verbs=NO_PIECES),
    Case("no JSON", parser_of(Country), input="Sorry.", verbs=NO_PIECES),
    Case(
        "messages",
        parser_of(Address),
        input=lambda lib: lib.AIMessage(ANSWER),
        pieces=lambda lib: [lib.AIMessageChunk(content=""), lib.AIMessageChunk(content=ANSWER)],
    ),
    Case(
        "before a function",
        lambda lib: parser_of(Countries)(lib) | (lambda found: found.countries[0].name),
        input=COUNTRIES,
        pieces=list(COUNTRIES),
    ),
    Case(
        "in a parallel step",
        lambda lib: lib.RunnableParallel(x=parser_of(Countries)(lib)),
        input=COUNTRIES,
        pieces=[COUNTRIES],
    ),
    Case("behind a model", lambda lib: lib.chat([COUNTRIES]) | parser_of(Countries)(lib)),
]


@each(WHOLE, EVERY)
def test_whole_answers(case, verb, colour):
    compare(case, verb, colour)


def partial(model: Any, **values: Any) -> Any:
    return model.model_construct(**values)


def _stream(name: str, model: Any, pieces: list[str], ours: Any, peer: Any) -> Case:
    return Case(
        name,
        parser_of(model),
        input="".join(pieces),
        pieces=pieces,
        verbs=["transform"],
        differs=Differs("pydantic-partial-objects", ours, peer),
    )


@each(
    [
        _stream(
            "required fields",
            Country,
            ['{"name": "Fra', 'nce", "population": 6', "7", "}"],
            gives(
                partial(Country, name="Fra", population=None),
                Country(name="France", population=6),
                Country(name="France", population=67),
                Country(name="France", population=67),
            ),
            gives(Country(name="France", population=6), Country(name="France", population=67)),
        ),
        _stream(
            "optional fields",
            Address,
            ['{"street"', ': "Elm', '"', "}"],
            gives(Address(), Address(street="Elm"), Address(street="Elm")),
            gives(Address(), Address(street="Elm")),
        ),
        _stream(
            "a value that is read as another",
            Address,
            ['{"number": "1', '2"}'],
            gives(partial(Address, number="1"), Address(number=12)),
            gives(Address(number=1), Address(number=12)),
        ),
        _stream(
            "a validator",
            Grown,
            ['{"age": 1', "9}"],
            gives(partial(Grown, age=1), Grown(age=19)),
            gives(Grown(age=19)),
        ),
        _stream(
            "never valid",
            Country,
            ['{"name": "Fra', 'nce"}'],
            fails(ValueError, after=[partial(Country, name="Fra", population=None)]),
            gives(),
        ),
        _stream(
            "no object",
            Country,
            ["[", "1]"],
            fails(ValueError, after=[[]]),
            gives(),
        ),
        _stream("no JSON", Country, ["Sor", "ry"], fails(ValueError), gives()),
        _stream(
            "truncated",
            Address,
            ['{"street": "E', "lm"],
            fails(ValueError, after=[Address(street="E"), Address(street="Elm")]),
            gives(Address(street="E"), Address(street="Elm")),
        ),
    ]
)
def test_difference_partial_objects(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("pydantic-partial-objects")
def test_difference_countries_by_token():
    ours, peer = ([*parser_of(Countries)(lib).transform(iter(tokens(COUNTRIES)))] for lib in (OURS, PEER))
    assert ours[0].countries is None
    assert ours[1].countries[0].name is None
    assert len(ours) > len(peer)
    assert ours[-1] == peer[-1]
    assert ours[1].countries[0].model_fields_set == set()


addresses = st.fixed_dictionaries(
    {},
    optional={
        "street": st.text('ab é"\\', max_size=6),
        "number": st.none() | st.integers(),
        "tags": st.lists(st.text("ab ", max_size=3), max_size=3),
        "other": st.integers(),
    },
)


@settings(max_examples=60, deadline=None)
@given(addresses, styles, places, st.sampled_from(COLOURS))
def test_any_object_that_is_valid_while_it_fills(document, style, places, colour):
    text = json.dumps(document, **style)
    case = Case("any", parser_of(Address), pieces=cut(text, places, quiet(text)))
    ours = outcome(case, OURS, "transform", colour)
    peer = outcome(case, PEER, "transform", "async" if colour == "async" else "sync")
    # Ours yields the last one again when it is valid, and where a key is unknown.
    assert [one for one, before in zip(ours.pieces, [None, *ours.pieces], strict=False) if one != before] == (
        peer.pieces
    )
    assert ours.error is peer.error is None
    # The peer's last one may be one that was equal before its last key came.
    assert ours.pieces[-1].model_fields_set == document.keys() - {"other"}


@pytest.mark.differs("pydantic-errors")
def test_difference_errors():
    text = '```json\n{"countries": [{"name": "France"}]}\n```'
    found = {}
    for lib in (OURS, PEER):
        with pytest.raises(ValueError, match=r"(?i)field required") as raised:
            parser_of(Countries)(lib).invoke(text)
        found[lib.name] = raised.value
    assert found["millstream"].llm_output == text
    assert found["millstream"].path == ("countries", 0, "population")
    assert found["langchain-core"].llm_output == '{"countries": [{"name": "France"}]}'
    assert not hasattr(found["langchain-core"], "path")


@pytest.mark.differs("json-instructions")
def test_difference_instructions():
    schema = Countries.model_json_schema()
    ours, peer = (parser_of(Countries)(lib).get_format_instructions() for lib in (OURS, PEER))
    assert json.loads(ours[ours.index("{") :]) == schema
    assert json.dumps({key: schema[key] for key in schema if key not in ("title", "type")}) in peer


@pytest.mark.differs("pydantic-patches")
def test_difference_patches():
    peer = PEER.PydanticOutputParser(pydantic_object=Address, diff=True)
    assert peer.invoke(ANSWER) == Address.model_validate_json(ANSWER)
    with pytest.raises(TypeError, match="not JSON serializable"):
        list(peer.transform(list(ANSWER)))
    with pytest.raises(TypeError, match="give one of them"):
        OURS.PydanticOutputParser(pydantic_object=Address, diff=True)


class Old(pydantic.v1.BaseModel):
    name: str


@pytest.mark.differs("pydantic-v1")
def test_difference_models_of_pydantic_v1():
    assert parser_of(Old)(PEER).invoke('{"name": "x"}') == Old(name="x")
    with pytest.raises(TypeError, match="is no type that JSON can be read as"):
        parser_of(Old)(OURS)
