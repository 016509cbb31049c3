"""Fields that are made when they are first read.

A stream makes one chunk a token, and nearly all of them hold text and nothing else. Making two empty dicts
and three empty lists for each would cost as much as the chunk, so such fields start as `UNMADE`, and a
property in front of the struct's slot makes the value when somebody asks. The same property turns the plain
dicts that people write for tool calls into structs, so that no chunk pays for a `__post_init__`.

msgspec reads slots by offset: making, copying, comparing layouts and encoding never pass through here.
"""

from collections.abc import Callable
from typing import Any

#: The default of a field that is made on reading. Typed `Any`, since readers never see it.
UNMADE: Any = None


def made_on_read(cls: type, name: str, make: Callable[[Any, Any], Any], slot: Any = None) -> Any:
    """Put a property before the field `name` of the struct class `cls`.

    `make(message, held)` is called at each reading with what the slot holds; another object that it returns
    is stored. `slot` is what this function returned for a parent class, if that has the field already.
    Returns the slot's own descriptor: `slot.__get__(message)` reads what is really stored.
    """
    if slot is None:
        slot = cls.__dict__[name]
    held_by = slot.__get__

    def read(self: Any) -> Any:
        held = held_by(self)
        value = make(self, held)
        if value is not held:
            # Through the struct's own setattr, which tells the garbage collector about the new container.
            setattr(self, name, value)
        return value

    setattr(cls, name, property(read, slot.__set__, doc=f"The field `{name}`, made when it is first read."))
    return slot


def empty_dict(message: object, held: dict[str, Any] | None) -> dict[str, Any]:
    """`make` for a field that is a dict."""
    return {} if held is None else held
