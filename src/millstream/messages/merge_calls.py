"""How the fragments of tool calls become calls, and how usage adds up.

Providers disagree about fragments. The rules, first match wins:

==================================  ==================================================================
a fragment with an index            continues the call that was opened last on that index
... and an id that another call     continues the call of that id, or opens a new one
on this index contradicts
... and an id, the open call has    opens a new call, unless the open one is only a name so far
none
without index, with a known id      continues the call of that id
without index, with a name or a     opens a new call
new id
without index, id and name          continues the call that was opened last
==================================  ==================================================================

An id or name that is repeated says the same again. Ids "" and "null" are none; an index "0" is 0.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from millstream.messages.calls import ToolCallChunk, UsageMetadata


class GatheredCall:
    """One call while its fragments arrive."""

    def __init__(self, index: int | str | None, position: int) -> None:
        self.index = index
        #: Which call of the message it is, from 0.
        self.position = position
        self.id: str | None = None
        self.name: str | None = None
        self.args: list[str] = []

    def add(self, name: str | None, args: str | None, call_id: str | None) -> None:
        """Take what a fragment says."""
        if name and name != self.name:
            # A name that differs is the next piece of one: a provider may cut names, too.
            self.name = name if self.name is None else self.name + name
        if args is not None:
            self.args.append(args)
        self.id = self.id or call_id

    def only_named(self) -> bool:
        """Whether nothing but its name has come."""
        return self.id is None and self.name is not None and not any(self.args)

    def chunk(self) -> ToolCallChunk:
        """The one fragment that says what all of its fragments say."""
        args = "".join(self.args) if self.args else None
        return ToolCallChunk(self.name, args, self.id, self.index)


class GatheredCalls:
    """The calls of one message, in the order in which they were opened."""

    def __init__(self) -> None:
        self.calls: list[GatheredCall] = []
        self.open: dict[int | str, GatheredCall] = {}
        self.known: dict[Any, GatheredCall] = {}

    def add(self, fragment: ToolCallChunk) -> GatheredCall | None:
        """Take a fragment. Returns the call that it belongs to; None if it says nothing."""
        call_id = None if fragment.id in ("", "null") else fragment.id
        index = _index(fragment.index)
        if not call_id and not fragment.name and not fragment.args and self.calls:
            return None
        call = self._find(index, call_id, fragment.name) or self._open(index)
        call.add(fragment.name, fragment.args, call_id)
        if call_id:
            self.known[index, call_id] = call
            self.known.setdefault(call_id, call)
        return call

    def _find(self, index: int | str | None, call_id: str | None, name: str | None) -> GatheredCall | None:
        if index is None:
            last = self.calls[-1] if self.calls else None
            if call_id:
                known = self.known.get(call_id)
                return known or (last if last and last.only_named() and not name else None)
            return None if name else last
        call = self.open.get(index)
        if call is None or not call_id or call.id == call_id:
            return call
        if call.id is None:
            return call if call.only_named() and name in (None, "", call.name) else None
        return self.known.get((index, call_id))

    def _open(self, index: int | str | None) -> GatheredCall:
        call = GatheredCall(index, len(self.calls))
        self.calls.append(call)
        if index is not None:
            self.open[index] = call
        return call


def _index(given: int | str | None) -> int | str | None:
    return int(given) if isinstance(given, str) and given.isdecimal() else given


def merge_tool_call_chunks(fragments: Iterable[ToolCallChunk]) -> list[ToolCallChunk]:
    """One fragment for each call, by the rules above; linear in the number and length of the fragments."""
    gathered = GatheredCalls()
    for fragment in fragments:
        gathered.add(fragment)
    return [call.chunk() for call in gathered.calls]


def merge_usage(usages: Sequence[UsageMetadata]) -> UsageMetadata | None:
    """The sum, field by field; None if there is nothing to sum. Estimated if any part is."""
    if len(usages) < 2:
        return usages[0] if usages else None
    return UsageMetadata(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        total_tokens=sum(usage.total_tokens for usage in usages),
        input_token_details=_summed([usage.input_token_details for usage in usages]),
        output_token_details=_summed([usage.output_token_details for usage in usages]),
        estimated=any(usage.estimated for usage in usages),
    )


def _summed(details: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in details:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return total
