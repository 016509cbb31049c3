import dataclasses
import datetime
import enum
import itertools
import json
import typing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypedDict, TypeVar

import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel

from millstream.errors import ConfigError, OutputParserException
from millstream.output_parsers import JsonOutputParser, PydanticOutputParser
from millstream.schemas import _shape_of, mentioned
from millstream.testing import FakeChatModel
from tests.wire.properties import cut
from tests.wire.strategies import places

T = TypeVar("T")

# --- the same record in every kind of type --------------------------------------------------------------


class PydanticCity(BaseModel):
    name: str
    size: int = 7


class PydanticTrip(BaseModel):
    title: str
    stops: list[PydanticCity] = []
    home: Optional[PydanticCity] = None  # noqa: UP045
    notes: dict[str, PydanticCity] = Field(default_factory=dict)


class StructCity(Struct):
    name: str
    size: int = 7


class StructTrip(Struct):
    title: str
    stops: list[StructCity] = []
    home: StructCity | None = None
    notes: dict[str, StructCity] = {}


@dataclass
class DataCity:
    name: str
    size: int = 7


@dataclass
class DataTrip:
    title: str
    stops: list[DataCity] = field(default_factory=list)
    home: DataCity | None = None
    notes: dict[str, DataCity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SlotsCity:
    name: str
    size: int = 7


@dataclass(frozen=True, slots=True)
class SlotsTrip:
    title: str
    stops: list[SlotsCity] = field(default_factory=list)
    home: SlotsCity | None = None
    notes: dict[str, SlotsCity] = field(default_factory=dict)


class FrozenCity(Struct, frozen=True, kw_only=True, tag=True):
    size: int = 7
    name: str


class FrozenTrip(Struct, frozen=True, kw_only=True):
    title: str
    stops: list[FrozenCity] = []
    home: FrozenCity | None = None
    notes: dict[str, FrozenCity] = {}


class PydanticFrozenCity(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    size: int = 7


class PydanticFrozenTrip(BaseModel):
    model_config = ConfigDict(frozen=True)
    title: str
    stops: list[PydanticFrozenCity] = []
    home: PydanticFrozenCity | None = None
    notes: dict[str, PydanticFrozenCity] = {}


@pydantic.dataclasses.dataclass
class CheckedCity:
    name: str
    size: int = 7


@pydantic.dataclasses.dataclass
class CheckedTrip:
    title: str
    stops: list[CheckedCity] = field(default_factory=list)
    home: CheckedCity | None = None
    notes: dict[str, CheckedCity] = field(default_factory=dict)


@dataclass
class MixedTrip:
    """A dataclass of pydantic models."""

    title: str
    stops: list[PydanticCity] = field(default_factory=list)
    home: PydanticCity | None = None
    notes: dict[str, PydanticCity] = field(default_factory=dict)


TRIPS = [
    (PydanticTrip, PydanticCity),
    (StructTrip, StructCity),
    (DataTrip, DataCity),
    (SlotsTrip, SlotsCity),
    (FrozenTrip, FrozenCity),
    (PydanticFrozenTrip, PydanticFrozenCity),
    (CheckedTrip, CheckedCity),
    (MixedTrip, PydanticCity),
]
TRIP = [
    "Here: {",
    '"title": "Al',
    'ps", "stops": [',
    '{"name": "Br',
    'ig", "size": 1',
    '2}, {"size": 3, "name": "Bern"}',
    '], "home": {"name": "Z',
    'ug"}, "notes": {"a": {"name": "Chur"',
    "}}",
    "} Bye",
]


@pytest.mark.parametrize(("trip", "city"), TRIPS, ids=lambda kind: kind.__name__)
def test_objects_fill_as_they_come(trip, city, colour):
    parser = JsonOutputParser(target=trip)
    items = colour.transform(parser, TRIP)
    assert all(isinstance(item, trip) for item in items)
    seen = [(item.title, item.stops, item.home, item.notes) for item in items]
    brig, bern = city(name="Brig", size=12), city(name="Bern", size=3)
    assert seen == [
        ("Al", [], None, {}),
        ("Alps", [], None, {}),
        ("Alps", [city(name="Br")], None, {}),
        ("Alps", [city(name="Brig", size=1)], None, {}),
        ("Alps", [brig, bern], None, {}),
        ("Alps", [brig, bern], city(name="Z"), {}),
        ("Alps", [brig, bern], city(name="Zug"), {"a": city(name="Chur")}),
        ("Alps", [brig, bern], city(name="Zug"), {"a": city(name="Chur")}),
    ]
    # What is finished is one object in all items; the last item is validated, and anew.
    assert items[4].stops[0] is items[5].stops[0] is items[6].stops[0]
    assert items[2].stops[0] is not items[3].stops[0]
    text = "".join(TRIP)
    whole = text[text.index("{") : text.rindex("}") + 1]
    assert items[-1] == colour.invoke(parser, text) == parser.parse(text) == validated(trip, whole)
    assert type(items[-1]) is trip


def validated(kind, text):
    """The text as the type's own library reads it."""
    if "ydantic" in repr(kind) or "Mixed" in repr(kind) or "Checked" in repr(kind):
        return pydantic.TypeAdapter(kind).validate_json(text)
    return msgspec.json.decode(text, type=kind)


@given(places=places)
@settings(max_examples=25, deadline=None)
def test_any_cut_leads_to_the_same(places):
    text = "".join(TRIP)
    for kind, _ in TRIPS:
        *partial, last = JsonOutputParser(target=kind).transform(cut(text, places))
        assert last == JsonOutputParser(target=kind).parse(text)
        assert all(isinstance(item, kind) for item in partial)


@pytest.mark.parametrize(("trip", "city"), TRIPS, ids=lambda kind: kind.__name__)
def test_items_do_not_change(trip, city):
    seen = []
    for item in JsonOutputParser(target=trip).transform(list("".join(TRIP))):
        seen.append((item, repr(item)))
    assert all(repr(item) == said for item, said in seen)
    # An empty list is what a field without one shows too.
    assert len({said for _, said in seen}) > len(seen) - 5


@pytest.mark.parametrize(("trip", "city"), TRIPS, ids=lambda kind: kind.__name__)
def test_hostile_shapes_are_told_by_validation(trip, city, colour):
    parser = JsonOutputParser(target=trip)
    for text, path in [
        ('{"title": 5}', ("title",)),
        ('{"title": [{}]}', ("title",)),
        ('{"title": "a", "stops": {"name": "b"}}', ("stops",)),
        ('{"title": "a", "stops": [[], {"name": 1}]}', ("stops", 0)),
        ('{"title": "a", "home": [{"name": "b"}]}', ("home",)),
    ]:
        with pytest.raises(OutputParserException, match=f"The answer is no {trip.__name__}: at ") as caught:
            colour.transform(parser, list(text))
        assert caught.value.path == path
        assert caught.value.llm_output == text
    for text in ("{}", "[]", '"a"', "null", '{"stops": []}'):
        with pytest.raises(OutputParserException, match=f"The answer is no {trip.__name__}: ") as caught:
            colour.invoke(parser, text)
        assert caught.value.path in ((), ("title",))


def test_faults_come_after_the_items_before_them():
    stream = JsonOutputParser(target=StructTrip).transform(['{"title": "a"', ', "stops": [{"name": 5}]', "}"])
    assert [next(stream).title, next(stream).stops[0].name] == ["a", 5]
    with pytest.raises(
        OutputParserException, match=r"no StructTrip: at stops\[0\]\.name, Expected `str`"
    ) as caught:
        next(stream)
    assert caught.value.path == ("stops", 0, "name")
    stream = JsonOutputParser(target=StructTrip).transform(['{"title": "a', 'b", x'])
    assert [next(stream).title, next(stream).title] == ["a", "ab"]
    with pytest.raises(OutputParserException, match="a key in double quotes"):
        next(stream)


def test_truncated_answers_are_partial_objects(colour):
    parser = JsonOutputParser(target=StructTrip, allow_truncated=True)
    assert colour.invoke(parser, '{"title": "a", "stops": [{"na').stops == [StructCity(None)]
    assert colour.transform(parser, ['{"title": "a', 'b", "ho'])[-1].title == "ab"
    assert colour.invoke(parser, '{"title": "a"}') == StructTrip("a")


# --- what each kind of type has -------------------------------------------------------------------------


class Renamed(Struct, rename="camel", forbid_unknown_fields=True):
    first_name: str = "?"
    last_name: str = "!"
    the_key: list["Renamed"] = msgspec.field(name="@key", default_factory=list)


def test_renamed_struct_fields():
    text = '{"firstName": "An", "@key": [{"lastName": "Bo"}, {"first_name": "no"}]}'
    stream = JsonOutputParser(target=Renamed).transform([text[:-2], text[-2:]])
    assert next(stream) == Renamed("An", the_key=[Renamed(last_name="Bo"), Renamed()])
    with pytest.raises(OutputParserException, match="unknown field `first_name`") as caught:
        next(stream)
    assert caught.value.path == ("@key", 1)


class Aliased(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.upper())
    one: int = 1
    two: int = Field(2, alias="zwei")
    three: int = Field(3, validation_alias="trois")


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    one: int = Field(1, alias="eins")


def test_pydantic_aliases():
    first, last = JsonOutputParser(target=Aliased).transform(
        ['{"ONE": 10, "zwei": 20, "trois": 30, "two": 5', "}"]
    )
    assert (first.one, first.two, first.three) == (last.one, last.two, last.three) == (10, 20, 30)
    for key in ("one", "eins"):
        first, last = JsonOutputParser(target=ByName).transform([f'{{"{key}": 5', "}"])
        assert first == last == ByName(one=5)


class Choices(BaseModel):
    one: int = Field(1, validation_alias=pydantic.AliasChoices("a", "b", pydantic.AliasPath("c", 0)))
    two: int = Field(2, validation_alias=pydantic.AliasPath("d", 0))


def test_pydantic_alias_choices():
    for key in ("a", "b"):
        first, last = JsonOutputParser(target=Choices).transform([f'{{"{key}": 5, "two": 6', "}"])
        assert first == last
        assert (first.one, first.two) == (5, 2)
    first, last = JsonOutputParser(target=Choices).transform(['{"c": [5], "d": [6]', "}"])
    assert (first.one, first.two, last.one, last.two) == (1, 2, 5, 6)


@pydantic.dataclasses.dataclass
class CheckedFilm:
    title: str
    year: int = Field(default=3)
    tags: list[str] = Field(default_factory=list)
    rating: int = Field(default=2, alias="stars")
    late: int = Field(default_factory=lambda: 8)
    fixed: int = field(init=False, default=4)
    plain: list[int] = field(default_factory=list)


@pydantic.dataclasses.dataclass(config=ConfigDict(populate_by_name=True))
class CheckedByName:
    rating: int = Field(alias="stars")


@dataclass
class PlainSubclass(CheckedFilm):
    more: int = 5


def test_pydantic_dataclasses_with_fields_of_pydantics():
    items = list(JsonOutputParser(target=CheckedFilm).transform(['{"title": "x"', ', "stars": 5', "}"]))
    shown = [(x.title, x.year, x.tags, x.rating, x.late, x.fixed, x.plain) for x in items]
    assert shown == [
        ("x", 3, [], 2, None, 4, []),
        ("x", 3, [], 5, None, 4, []),
        ("x", 3, [], 5, 8, 4, []),
    ]
    for key in ("rating", "stars"):
        first, last = JsonOutputParser(target=CheckedByName).transform([f'{{"{key}": 5', "}"])
        assert first.rating == last.rating == 5
    shape = JsonOutputParser(target=PlainSubclass).target.shape
    assert (shape.made({"more": 6}).more, shape.made({}).more, shape.made({}).year) == (6, 5, 3)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    day: datetime.date
    pair: tuple[int, str]
    colour: "Colour"
    text: str = ""
    number: float = 0
    whole: int = 0


def test_strict_models_read_json():
    parser = JsonOutputParser(target=Strict)
    fields = '"day": "2026-01-02", "pair": [1, "x"], "colour": "red"'
    for more in ("", ', "text": "\\ud83d\\ude00"', f', "whole": {"9" * 100}', ', "number": 1e999'):
        text = f"{{{fields}{more}}}"
        assert parser.parse(text) == Strict.model_validate_json(text)
    with pytest.raises(
        OutputParserException, match=r"at pair\[1\], Input should be a valid string"
    ) as caught:
        parser.parse('{"day": "2026-01-02", "pair": [1, 2], "colour": "red"}')
    assert caught.value.path == ("pair", 1)
    with pytest.raises(OutputParserException, match="at whole, Input should be a valid integer"):
        parser.parse(f'{{{fields}, "whole": "1"}}')


def test_what_pydantic_does_not_read_as_json():
    class Loose(BaseModel):
        value: Any

    parser = JsonOutputParser(target=Loose, repair=True, max_digits=5000, max_depth=500)
    assert parser.parse('{"value": "\\ud83d"}').value == "\ud83d"
    assert parser.parse('{"value": NaN}').value != 0
    deep = parser.parse('{"value": ' + "[" * 400 + "]" * 400 + "}").value
    assert json.dumps(deep) == "[" * 400 + "]" * 400


class Priced(Struct):
    price: Decimal
    old: list[Decimal | None] = []


@dataclass
class PricedData:
    price: Decimal


@pytest.mark.parametrize(
    "text",
    [
        '{"price": %s}',
        'Here {it} is: {"price": %s}',
        '```json\n{"price": %s}\n```\nDone.',
    ],
)
def test_decimals_keep_their_digits(text):
    digits = "1.10000000000000000000000010"
    for kind in (Priced, PricedData):
        made = JsonOutputParser(target=kind).parse(text % digits)
        # Where the prose has braces too, the digits are those of a float.
        assert str(made.price) == ("1.1" if "{it}" in text else digits)
    made = JsonOutputParser(target=list[Priced]).parse('[{"price": 1.10, "old": [2.50, null]}]')
    assert repr(made) == "[Priced(price=Decimal('1.10'), old=[Decimal('2.50'), None])]"
    assert str(JsonOutputParser(target=Decimal).parse(" 1.10 ")) == "1.10"
    assert JsonOutputParser(target=Priced, repair=True).parse("{'price': 1.10}") == Priced(Decimal("1.1"))
    with pytest.raises(OutputParserException, match=r"at old\[0\], ") as caught:
        JsonOutputParser(target=Priced).parse('{"price": 1, "old": [[]]}')
    assert caught.value.path == ("old", 0)


def test_fields_that_were_set_are_told():
    first, last = PydanticOutputParser(PydanticCity).transform(['{"name": "x"', "}"])
    assert first.model_fields_set == last.model_fields_set == {"name"}
    assert first.model_dump() == {"name": "x", "size": 7}
    assert first.model_copy() == first


class HookedStruct(Struct):
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("the wrong way round - at all events")

    def span(self):
        return self.high - self.low


@dataclass
class HookedData:
    low: int
    high: int
    span: int = field(init=False, default=-1)

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("the wrong way round - at all events")
        self.span = self.high - self.low


class HookedModel(BaseModel):
    low: int
    high: int
    _span: int = PrivateAttr(-1)
    _made: object = PrivateAttr(default_factory=lambda: pytest.fail("a factory ran for a part"))
    _none: str = PrivateAttr()

    def model_post_init(self, context):
        self._span = self.high - self.low

    @pydantic.model_validator(mode="after")
    def _check(self):
        if self.low > self.high:
            raise ValueError("the wrong way round - at all events")
        return self

    @property
    def span(self):
        return self._span


class Spanned(HookedModel):
    _made: object = PrivateAttr(None)


@pytest.mark.parametrize("kind", [HookedStruct, HookedData, Spanned])
def test_hooks_see_whole_objects_only(kind, colour):
    items = colour.transform(JsonOutputParser(target=kind), ['{"low": 4', ', "high"', ": 9", "}"])
    assert [(item.low, item.high) for item in items] == [(4, None), (4, 9), (4, 9)]
    assert all(isinstance(item, kind) for item in items)
    assert (items[-1].span() if kind is HookedStruct else items[-1].span) == 5
    if kind is not HookedStruct:
        assert items[0].span == -1
    with pytest.raises(OutputParserException, match="the wrong way round - at all events") as caught:
        colour.transform(
            JsonOutputParser(target=list[kind]), ['[{"low": 4, "high": 5}, {"low": 9, "high": 5', "}]"]
        )
    assert caught.value.path == (1,)


def test_private_attributes_of_parts():
    class Model(BaseModel):
        low: int
        _list: list[int] = PrivateAttr(default_factory=list)
        _made: int = PrivateAttr(default_factory=lambda: 3)
        _plain: list[int] = PrivateAttr([1])

    first, last = JsonOutputParser(target=Model).transform(['{"low": 4', "}"])
    assert (first._list, first._made, first._plain) == ([], None, [1])
    assert (last._list, last._made, last._plain) == ([], 3, [1])


hooks_that_ran = []


class HookedBase(Struct):
    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        hooks_that_ran.append(cls.__name__)


class Hooked(HookedBase, frozen=True, weakref=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    one_a: int
    inner: "list[Hooked]" = []

    def __post_init__(self):
        hooks_that_ran.append(self.one_a)


def test_structs_with_hooks_are_of_their_class():
    parsers = [JsonOutputParser(target=kind) for kind in (list[Hooked], dict[str, Hooked], list[Hooked])]
    assert hooks_that_ran == ["Hooked"]
    for parser in (parsers[0], parsers[2]):
        first, second = parser.transform(['[{"oneA": 1, "inner": [{"oneA": 2', "}]}", "]"])
        assert type(first[0]) is type(first[0].inner[0]) is Hooked
        assert second[0] == Hooked(one_a=1, inner=[Hooked(one_a=2)])
        assert msgspec.json.decode(msgspec.json.encode(first), type=list[Hooked]) == first
        with pytest.raises(AttributeError, match="immutable"):
            first[0].one_a = 2
    assert "Hooked" not in hooks_that_ran[1:]
    assert len(Hooked.__subclasses__()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"gc": False},
        {"dict": True},
        {"array_like": True},
        {"tag": "x"},
        {"tag": True, "frozen": True, "cache_hash": True},
        {"order": True, "omit_defaults": True},
    ],
    ids=str,
)
def test_structs_of_any_layout_with_hooks(options):
    hooks = {"__post_init__": lambda self: pytest.fail("a hook ran for a part")}
    kind = msgspec.defstruct("Kind", [("a", int), ("b", int, 2)], namespace=hooks, **options)
    made = JsonOutputParser(target=kind).target.shape.made({"a": 1})
    assert type(made) is kind
    assert (made.a, made.b) == (1, 2)


def test_factories_run_for_whole_objects_only():
    ids = itertools.count()

    class Pydantic(BaseModel):
        id: int = Field(default_factory=lambda: next(ids))
        tags: list[str] = Field(default_factory=list)

    class AStruct(Struct):
        id: int = msgspec.field(default_factory=lambda: next(ids))
        tags: list[str] = []

    @dataclass
    class Data:
        id: int = field(default_factory=lambda: next(ids))
        tags: list[str] = field(default_factory=list)

    for number, kind in enumerate([Pydantic, AStruct, Data]):
        items = list(JsonOutputParser(target=kind).transform(["{", '"tags": ["a"', ', "b"]', "}"]))
        assert [(item.id, item.tags) for item in items] == [
            (None, []),
            (None, ["a"]),
            (None, ["a", "b"]),
            (number, ["a", "b"]),
        ]


def test_defaults_are_not_shared():
    class Pydantic(BaseModel):
        tags: list[str] = []
        more: dict[str, int] = Field(default_factory=dict)

    one, _ = JsonOutputParser(target=Pydantic).transform(["{", "}"])
    two, _ = JsonOutputParser(target=Pydantic).transform(["{", "}"])
    one.tags.append("x")
    one.more["x"] = 1
    assert (two.tags, two.more) == ([], {})


class Movie(TypedDict):
    title: str
    cast: NotRequired[list[StructCity]]


class LooseMovie(typing_extensions.TypedDict, total=False):
    title: typing_extensions.Required[str]
    home: PydanticCity


def test_typed_dicts(colour):
    pieces = ['{"title": "Ra', 'n", "cast": [{"name": "Mifune"', '}], "x": 1', "}"]
    items = colour.transform(JsonOutputParser(target=Movie), pieces)
    assert items == [
        {"title": "Ra"},
        *[{"title": "Ran", "cast": [StructCity("Mifune")]}] * 3,
    ]
    pieces = ['{"home": {"name": "Z', 'ug"}', ', "title": "x"}']
    items = colour.transform(JsonOutputParser(target=LooseMovie), pieces)
    assert items[0] == {"home": PydanticCity(name="Z")}
    assert items[-1] == {"home": PydanticCity(name="Zug"), "title": "x"}
    with pytest.raises(OutputParserException):
        colour.invoke(JsonOutputParser(target=LooseMovie), "{}")


class Node(Struct):
    value: int = 0
    left: Optional["Node"] = None
    children: list["Node"] = []


class Tree(BaseModel):
    value: int = 0
    left: Optional["Tree"] = None
    children: list["Tree"] = []


@pytest.mark.parametrize("kind", [Node, Tree])
def test_types_that_hold_themselves(kind):
    items = list(
        JsonOutputParser(target=kind).transform(
            ['{"left": {"left": {"value": 5', '}}, "children": [{"value"', ": 6}]}"]
        )
    )
    assert items[0].left.left.value == 5
    assert isinstance(items[1].children[0], kind)
    assert items[-1] == kind(left=kind(left=kind(value=5)), children=[kind(value=6)])
    depth = 150
    text = '{"left": ' * depth + "{}" + "}" * depth
    found = 0
    item, _ = JsonOutputParser(target=kind).transform([text[:-1], "}"])
    while item.left is not None:
        item, found = item.left, found + 1
    assert found == depth


class Cat(Struct, tag="cat"):
    lives: int = 9


class Dog(Struct, tag="dog"):
    tricks: list[str] = []


class Owner(Struct):
    pet: Cat | Dog
    other: Cat | None = None


class PCat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class PDog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class POwner(BaseModel):
    pet: Annotated[PCat | PDog, Field(discriminator="kind")]


def test_unions_are_dicts_until_they_are_whole():
    pieces = ['{"pet": {"type": "dog", "tricks": ["sit"', ']}, "other": {"type": "cat"', "}}"]
    items = list(JsonOutputParser(target=Owner).transform(pieces))
    assert items[0].pet == {"type": "dog", "tricks": ["sit"]}
    assert items[1].other == Cat()
    assert items[-1] == Owner(Dog(["sit"]), Cat())
    first, last = JsonOutputParser(target=Cat | Dog).transform(['{"type": "dog"', "}"])
    assert (first, last) == ({"type": "dog"}, Dog())
    first, last = JsonOutputParser(target=POwner).transform(['{"pet": {"kind": "dog"', "}}"])
    assert (first.pet, last.pet) == ({"kind": "dog"}, PDog())
    with pytest.raises(OutputParserException):
        JsonOutputParser(target=Owner).parse('{"pet": {"type": "fish"}}')


class Names(RootModel[list[PydanticCity]]):
    pass


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("kind", "pieces", "items"),
    [
        (
            list[StructCity],
            ['[{"name": "a"', "}, {", '"name": "b"}', "]"],
            [
                [StructCity("a")],
                [StructCity("a"), StructCity(None)],
                *[[StructCity("a"), StructCity("b")]] * 2,
            ],
        ),
        (list[PydanticCity], ['[{"name": "a"', "}]"], [[PydanticCity(name="a")], [PydanticCity(name="a")]]),
        (dict[str, DataCity], ['{"k": {"name": "a"', "}}"], [{"k": DataCity("a")}, {"k": DataCity("a")}]),
        (
            dict[str, list[StructCity]],
            ['{"k": [{"name": "a"}', "]}"],
            [{"k": [StructCity("a")]}, {"k": [StructCity("a")]}],
        ),
        (dict[int, StructCity], ['{"1": {"name": "a"', "}}"], [{"1": StructCity("a")}, {1: StructCity("a")}]),
        (StructCity | None, ['{"name": "a', '"}'], [StructCity("a"), StructCity("a")]),
        (StructCity | None, ["null"], [None]),
        (Annotated[StructCity, "x"], ['{"name": "a', '"}'], [StructCity("a"), StructCity("a")]),
        (typing.NewType("City", StructCity), ['{"name": "a', '"}'], [StructCity("a"), StructCity("a")]),
        (tuple[StructCity, ...], ['[{"name": "a"', "}]"], [[StructCity("a")], (StructCity("a"),)]),
        (Point, ["[1", ", 2]"], [[1], Point(1, 2)]),
        (set[int], ["[1", ", 2]"], [[1], {1, 2}]),
        (Names, ['[{"name": "a"', "}]"], [[PydanticCity(name="a")], Names([PydanticCity(name="a")])]),
        (dict, ['{"a": 1', "}"], [{"a": 1}, {"a": 1}]),
        (list, ["[1", "]"], [[1], [1]]),
        (int, ["4", "2"], [42]),
        (Any, ["[{", "}]"], [[{}], [{}]]),
    ],
    ids=str,
)
def test_containers_and_other_types(kind, pieces, items, colour):
    parser = JsonOutputParser(target=kind)
    assert colour.transform(parser, pieces) == items
    whole, last = colour.invoke(parser, "".join(pieces)), colour.transform(parser, pieces)[-1]
    assert type(whole) is type(last)
    assert colour.invoke(FakeChatModel([pieces]) | parser | (lambda last: last), "x") == items[-1]


class Colour(enum.Enum):
    RED = "red"


class Rich(Struct):
    when: datetime.date
    colour: Colour
    price: Decimal
    ratio: float
    raw: bytes
    whole: int


class PRich(BaseModel):
    when: datetime.date
    colour: Colour
    price: Decimal
    ratio: float
    whole: int


def test_rich_fields_are_as_their_library_reads_them():
    text = json.dumps(
        {"when": "2026-01-02", "colour": "red", "price": "1.10", "ratio": 3, "raw": "YWI=", "whole": 3}
    )
    assert JsonOutputParser(target=Rich).parse(text) == msgspec.json.decode(text, type=Rich)
    assert JsonOutputParser(target=PRich).parse(text) == PRich.model_validate_json(text)
    first, _ = JsonOutputParser(target=Rich).transform([text[:-1], "}"])
    assert first.when == "2026-01-02"


class Box(Struct, Generic[T]):
    item: T
    items: list[T] = []


class PBox(BaseModel, Generic[T]):
    item: T


def test_generic_types():
    first, last = JsonOutputParser(target=Box[StructCity]).transform(['{"item": {"name": "a"', "}}"])
    assert isinstance(first, Box)
    assert last == Box(StructCity("a"))
    first, last = JsonOutputParser(target=PBox[PydanticCity]).transform(['{"item": {"name": "a"', "}}"])
    assert (first, last) == (PBox[PydanticCity](item=PydanticCity(name="a")),) * 2


class SubBox(Box[StructCity]):
    more: int = 0


class SubSubBox(SubBox):
    item: int


@dataclass
class DataBox(Generic[T]):
    item: T | None = None
    items: "list[T] | None" = None


@dataclass
class ListBox(DataBox[list[T]], Generic[T]):
    own: T | None = None


class DictBox(TypedDict, Generic[T]):
    item: T
    items: list[T]


class Growing(Struct, Generic[T]):
    item: T | None = None
    inner: Optional["Growing[list[T]]"] = None


def test_type_variables_stand_for_types():
    text = '{"item": {"name": "a"}, "items": [{"name": "b"'
    city_a, city_b = StructCity("a"), StructCity("b")
    for kind in (Box[StructCity], SubBox, DataBox[StructCity], Annotated[Box[StructCity], "x"]):
        first, last = JsonOutputParser(target=kind).transform([text, "}]}"])
        assert first == last
        assert (first.item, first.items) == (city_a, [city_b])
    first, _ = JsonOutputParser(target=DictBox[StructCity]).transform([text, "}]}"])
    assert first == {"item": city_a, "items": [city_b]}
    first, _ = JsonOutputParser(target=Box[Box[StructCity]]).transform(
        ['{"item": {"item": {"name": "a"}, "items": [', "]}}"]
    )
    assert first.item.item == city_a
    first, _ = JsonOutputParser(target=SubSubBox).transform(['{"items": [{"name": "b"}], "item": 5', "}"])
    assert (first.item, first.items) == (5, [city_b])
    first, _ = JsonOutputParser(target=ListBox[StructCity]).transform(
        ['{"item": [{"name": "a"}], "items": [[{"name": "b"}]], "own": {"name": "a"}', "}"]
    )
    assert (first.item, first.items, first.own) == ([city_a], [[city_b]], city_a)
    first, _ = JsonOutputParser(target=DataBox[PydanticCity]).transform([text, "}]}"])
    assert (first.item, first.items) == (PydanticCity(name="a"), [PydanticCity(name="b")])
    # What is not bound stays as JSON has it, until it is whole.
    first, _ = JsonOutputParser(target=Box).transform([text, "}]}"])
    assert first.item == {"name": "a"}


def test_a_generic_type_that_never_ends():
    shape = _shape_of(Growing[StructCity])
    assert isinstance(shape.inside("inner").inside("item").inside(0).made({}), StructCity)
    assert not any(each is Decimal for each in mentioned(Growing[StructCity]))
    assert any(each is Decimal for each in mentioned(Growing[Decimal]))


def test_tuples_of_several_types():
    for one, two in ((StructCity, StructTrip), (PydanticCity, PydanticTrip), (DataCity, SlotsCity)):
        parser = JsonOutputParser(target=tuple[one, two])
        partial = next(iter(parser.transform(['[{"name": "a"}, {', "}]"])))
        assert [type(each) for each in partial] == [one, two]
    shape = JsonOutputParser(target=tuple[StructCity]).target.shape
    assert shape.inside(0) is not None
    assert shape.inside(1) is shape.inside("x") is None


def test_what_is_no_target():
    class WithBoth(TypedDict):
        city: PydanticCity

    for kind in (lambda: 1, "StructCity", object()):
        with pytest.raises(ConfigError, match="no type that JSON can be read as"):
            JsonOutputParser(target=kind)
    if typing_extensions.TypedDict is not TypedDict:  # what pydantic does not take on old Pythons
        with pytest.raises(ConfigError, match="no type that JSON can be read as: Please use"):
            JsonOutputParser(target=WithBoth)


class Weird:
    pass


class HoldsWeird(Struct):
    rows: list[Weird]
    next: Optional["HoldsWeird"] = None


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Weird, "Weird is no class that msgspec reads; make it a dataclass"),
        (list[Weird], "Weird is no class that msgspec reads"),
        (HoldsWeird, r"Weird \(at HoldsWeird.rows\) is no class that msgspec reads"),
        (dict[str, HoldsWeird], r"Weird \(at HoldsWeird.rows\) is no class that msgspec reads"),
    ],
    ids=str,
)
def test_a_class_that_is_not_read_is_named(kind, says):
    with pytest.raises(ConfigError, match=says):
        JsonOutputParser(target=kind)


def test_names_that_cannot_be_found():
    class AStruct(Struct):
        inner: "Nowhere"  # noqa: F821

    @dataclass
    class Data:
        inner: "Nowhere"  # noqa: F821

    class Typed(TypedDict):
        inner: "Nowhere"  # noqa: F821

    class Pydantic(BaseModel):
        inner: "Nowhere"  # noqa: F821

    for kind in (AStruct, Data, Typed, Pydantic, list[AStruct], list[Pydantic]):
        with pytest.raises(ConfigError, match="cannot be found; define it at module level") as caught:
            JsonOutputParser(target=kind)
        assert ("Nowhere" in str(caught.value)) == ("Pydantic" not in str(kind))


def test_paths_of_faults():
    class Deep(Struct):
        cities: dict[str, list[StructCity]]

    for kind, text, path, says in [
        (
            Deep,
            '{"cities": {"a": [{"name": 1}]}}',
            ("cities",),
            r"at cities, Expected `str`.* \(at \[\.\.\.\]\[0\]\.name\)",
        ),
        (dict[str, int], '{"a": "x"}', (), r"Expected `int`, got `str` \(at \[\.\.\.\]\)"),
        (dict[str, PydanticCity], '{"a": {"name": 1}}', ("a", "name"), "at a.name, Input should be"),
        (list[PydanticCity], '[{"name": 1}, 2]', (0, "name"), r"at \[0\]\.name, .*\(and 1 more\)"),
    ]:
        with pytest.raises(OutputParserException, match=says) as caught:
            JsonOutputParser(target=kind).parse(text)
        assert caught.value.path == path


class PBird(BaseModel):
    kind: Literal["bird"]
    age: int


class PFish(BaseModel):
    kind: Literal["fish"]
    age: int


class Keeper(BaseModel):
    pet: Annotated[PBird | PFish, Field(discriminator="kind")] | None = None
    any: PBird | int | list[PBird] | None = None
    sizes: dict[int, int] = {}
    pair: tuple[int, PBird] | None = None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"pet": {"kind": "bird", "age": "x"}}', ("pet", "age")),
        ('{"pet": {"kind": "bird"}}', ("pet", "age")),
        ('{"pet": "bird"}', ("pet",)),
        ('{"pair": "bird"}', ("pair",)),
        ('{"pet": {"kind": "cow"}}', ("pet",)),
        ('{"any": {"kind": "bird", "age": "x"}}', ("any", "age")),
        ('{"any": [{"kind": "bird", "age": "x"}]}', ("any",)),
        ('{"sizes": {"1": "x"}}', ("sizes", "1")),
        ('{"sizes": {"w": 1}}', ("sizes", "w")),
        ('{"pair": [1, {"kind": "bird", "age": []}]}', ("pair", 1, "age")),
        ('{"pair": [1]}', ("pair", 1)),
    ],
)
def test_paths_are_those_of_the_value(text, path):
    with pytest.raises(OutputParserException) as caught:
        JsonOutputParser(target=Keeper).parse(text)
    assert caught.value.path == path


def test_unknown_keys_are_not_kept():
    # A parser lives longer than an answer, and answers may hold any keys.
    parser = JsonOutputParser(target=StructCity)
    shape = parser.target.shape
    parser.parse('{"name": "a", ' + ", ".join(f'"x{number}": {{}}' for number in range(100)) + "}")
    assert len(shape._known) <= 2


# Types that are made anew at each look, and may take each other's place in memory.
@dataclass
class Plain:
    a: "list[list[int]]"
    b: "list[list[str]]"
    c: "list[dict[str, int]]"


@dataclass
class Inner:
    rows: "list[list[PydanticCity]]"


@dataclass
class Outer:
    plain: Plain
    inner: Inner


def test_pydantic_is_found_wherever_it_stands():
    made = JsonOutputParser(target=Outer).parse(
        '{"plain": {"a": [], "b": [], "c": []}, "inner": {"rows": [[{"name": "x"}]]}}'
    )
    assert made.inner.rows == [[PydanticCity(name="x")]]


@pytest.mark.parametrize("kind", [trip for trip, _ in TRIPS], ids=lambda kind: kind.__name__)
def test_the_instructions_hold_the_schema(kind):
    said = JsonOutputParser(target=kind).get_format_instructions()
    schema = json.loads(said[said.index("{") :])
    assert "title" in json.dumps(schema)
    expected = (
        pydantic.TypeAdapter(kind).json_schema()
        if kind in (PydanticTrip, PydanticFrozenTrip, CheckedTrip, MixedTrip)
        else msgspec.json.schema(kind)
    )
    assert schema == expected


def test_dataclass_fields_keep_their_order():
    first, _ = JsonOutputParser(target=DataTrip).transform(["{", '"title": "x"}'])
    assert [each.name for each in dataclasses.fields(first)] == ["title", "stops", "home", "notes"]
    assert dataclasses.asdict(first) == {"title": None, "stops": [], "home": None, "notes": {}}


@given(values=st.lists(st.integers() | st.text(max_size=3) | st.none(), max_size=4), places=places)
@settings(max_examples=40, deadline=None)
def test_any_list_in_any_pieces(values, places):
    text = json.dumps([{"name": str(value), "size": 1} for value in values])
    *_, last = JsonOutputParser(target=list[StructCity]).transform(cut(text, places))
    assert last == [StructCity(str(value), 1) for value in values]
