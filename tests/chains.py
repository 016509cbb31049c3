"""Chains put together at random: described by nested tuples, `(kind, part, ...)`, so that one can be told,
built anew, and made smaller. What kinds there are is the affair of whoever asks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

Node = tuple[Any, ...]


def make_node(random: Random, leaves: Sequence[str], around: Mapping[str, Sequence[int]], depth: int) -> Node:
    """A chain at most `depth` nodes above its leaves. `around` says how many parts a kind may have."""
    if not depth or random.random() < 0.25:
        return (random.choice(leaves),)
    kind = random.choice([*around])
    count = random.choice(around[kind])
    return (kind, *(make_node(random, leaves, around, depth - 1) for _ in range(count)))


def build(node: Node, kinds: Mapping[str, Callable[..., Any]], about: Any) -> Any:
    """The chain that a description stands for; each kind is a function of `about` and its built parts."""
    kind, *parts = node
    return kinds[kind](about, *(build(part, kinds, about) for part in parts))


def kinds_in(node: Node) -> set[str]:
    """Every kind that is somewhere in a chain."""
    kind, *parts = node
    return {kind}.union(*map(kinds_in, parts))


def smaller_nodes(node: Node, simplest: str) -> Iterator[Node]:
    """Chains with a part of this one in its place, or with a smaller part; the smallest first."""
    if node == (simplest,):
        return
    yield (simplest,)
    kind, *parts = node
    yield from parts
    for at, part in enumerate(parts):
        for less in smaller_nodes(part, simplest):
            yield (kind, *parts[:at], less, *parts[at + 1 :])
