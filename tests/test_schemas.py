"""Types as targets, on their own; as answers of models they are in `output_parsers/test_typed.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Gt
from pydantic import BaseModel
from pydantic import v1 as pydantic_v1

from millstream.errors import ConfigError
from millstream.schemas import Mismatch, Target, fields_of, mentioned


@dataclass
class Place:
    name: str
    inner: "list[Place] | None" = None
    size: int = 1


class Model(BaseModel):
    place: Place


@pytest.mark.parametrize("kind", [Place, Model])
def test_a_fault_has_a_path(kind: Any) -> None:
    given = {"name": "x", "inner": [{"name": 1}]}
    path: tuple[Any, ...] = ("inner", 0, "name")
    if kind is Model:
        given, path = {"place": given}, ("place", *path)
    with pytest.raises(Mismatch, match=r"^at .*inner\[0\]\.name, ") as caught:
        Target(kind).validated(given)
    assert caught.value.path == path
    assert isinstance(caught.value.__cause__, ValueError)


def test_lax_targets_take_what_is_meant() -> None:
    with pytest.raises(Mismatch, match="Expected `int`, got `str`"):
        Target(Place).validated({"name": "x", "size": "3"})
    assert Target(Place, lax=True).validated({"name": "x", "size": "3"}) == Place("x", size=3)


def test_lax_targets_leave_to_pydantic_what_msgspec_does_not_know() -> None:
    with pytest.raises(ConfigError, match="no type that JSON can be read as"):
        Target(list[Path])
    target = Target(list[Path], lax=True)
    assert target.validated(["a"]) == [Path("a")]
    assert target.json_schema() == {"type": "array", "items": {"type": "string", "format": "path"}}


@pytest.mark.parametrize("kind", [object(), pydantic_v1.BaseModel, list[pydantic_v1.BaseModel]])
def test_what_nobody_knows(kind: Any) -> None:
    for lax in (False, True):
        with pytest.raises(ConfigError):
            Target(kind, lax=lax)


def test_constraints_of_pydantics_are_kept() -> None:
    with pytest.raises(Mismatch, match="greater than 0"):
        Target(Annotated[int, Gt(0)]).validated(0)


def test_what_is_mentioned() -> None:
    found = list(mentioned(dict[str, Model]))
    assert [kind for kind in found if isinstance(kind, type) and fields_of(kind)] == [Model, Place]
    assert list(fields_of(Place)) == ["name", "inner", "size"]
    assert fields_of(3) == fields_of(int) == {}
