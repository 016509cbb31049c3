"""Where millstream differs from langchain-core on purpose: the one table.

The side-by-side suite reads it (`normal.py` levels what an entry tells it to, a test names the entries it
shows by the marker `differs`), `scripts/differences.py` writes `docs/differences.md` from it, and an entry
that no test shows fails the suite.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]
Level = Callable[[Fields], Fields]

#: How a levelled id of a run begins.
RUN_ID = "run:"


@dataclass(frozen=True)
class Difference:
    """One difference: what each library does, and why ours does otherwise.

    `level` takes the difference out of a message's plain fields, so that the rest can be compared.
    """

    key: str
    area: str
    title: str
    peer: str
    ours: str
    why: str
    level: Level | None = None


DIFFERENCES: dict[str, Difference] = {}


def _differs(
    area: str, key: str, title: str, *, peer: str, ours: str, why: str, level: Level | None = None
) -> None:
    if key in DIFFERENCES:
        raise ValueError(f"Two differences are called {key!r}.")
    DIFFERENCES[key] = Difference(key, area, title, peer, ours, why, level)


_OWN_ID = re.compile(r"(?:lc_run--|run-)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-\d+)?")


def _level_run_id(fields: Fields) -> Fields:
    found = _OWN_ID.fullmatch(fields["id"] or "")
    return {**fields, "id": RUN_ID + found[1]} if found else fields


def _level_estimate(fields: Fields) -> Fields:
    usage = fields["usage"]
    return {**fields, "usage": None} if usage and usage.get("estimated") else fields


def _level_unfinished(fields: Fields) -> Fields:
    fragments = fields.get("tool_call_chunks") or ()
    if all(_is_object(fragment["args"]) for fragment in fragments):
        return fields
    return {**fields, "tool_calls": None, "invalid_tool_calls": None}


def _is_object(text: str | None) -> bool:
    try:
        return not text or isinstance(json.loads(text), dict)
    except ValueError:
        return False


RUNNABLES = "Runnables"

_differs(
    RUNNABLES,
    "every-colour",
    "Functions of one colour under the verbs of the other",
    peer="An `async` function under `invoke`, a generator function under `astream`, and a "
    "`RunnableGenerator` of one colour under the other's verbs raise `TypeError` or `NotImplementedError`.",
    ours="All of them run: an `async` function on a private event loop, a plain one in a worker thread.",
    why="A chain that works under one verb works under all.",
)
_differs(
    RUNNABLES,
    "wrong-input",
    "Errors about an argument of the wrong kind",
    peer="Some are a `ValueError` (`assign`, `pick` and `exception_key` on no dict, a batch with too few "
    "configs), others a `TypeError`.",
    ours="`InputError` or `ConfigError`; both are a `TypeError`.",
    why="One kind of mistake, one kind of error.",
)
_differs(
    RUNNABLES,
    "unknown-config-keys",
    "Keys of a config that nobody knows",
    peer="They are taken for values of `configurable`.",
    ours="`ConfigError` (a `TypeError`) that lists the known keys.",
    why="A misspelt key was silently without effect.",
)
_differs(
    RUNNABLES,
    "with-config-twice",
    "`with_config` on what already has a config",
    peer="Each key of the second replaces the first's: `tags` too.",
    ours="Tags join, `metadata` and `configurable` merge, as they do between a chain's config and a call's.",
    why="Adding a tag does not take the others away.",
)
_differs(
    RUNNABLES,
    "nearest-config",
    "A step's own config inside a chain that was called with one",
    peer="Where both have a `metadata` key, a limit or such, the chain's wins.",
    ours="The step's own wins, as it is the nearer one. A config given to the very call wins over both.",
    why="A step that was given a setting keeps it wherever it is built in.",
)
_differs(
    RUNNABLES,
    "keywords-for-nobody",
    "Keywords for a step that takes none",
    peer="`pick` raises `TypeError`, `assign` and parallel steps do so in some verbs.",
    ours="They are ignored in every verb, as langchain-core's other steps ignore them.",
    why="The answer does not depend on the verb.",
)
_differs(
    RUNNABLES,
    "lost-errors",
    "An async stream that fails before it begins",
    peer="Some errors, such as wrong keywords for an async generator, are replaced by `UnboundLocalError`.",
    ours="The error itself is raised.",
    why="The cause is what is needed.",
)
_differs(
    RUNNABLES,
    "step-notes",
    "Which step an error came from",
    peer="The traceback, through the library's frames, is all there is.",
    ours="The exception is the user's own, with a note (`__notes__`) that names the step and its path.",
    why="A chain of twenty lambdas has twenty frames that look the same.",
)
_differs(
    RUNNABLES,
    "stop-iteration",
    "A function that raises `StopIteration`",
    peer="`invoke` raises it as it is, which ends a loop that stands around the call.",
    ours="`RuntimeError` with it as the cause, as Python itself does in generators.",
    why="An error must not look like the end of an iteration.",
)
_differs(
    RUNNABLES,
    "empty-stream",
    "A stream without any item that reaches a function",
    peer="`UnboundLocalError` from inside the library.",
    ours="The function is not called, and the stream ends.",
    why="There is nothing to call it with.",
)
_differs(
    RUNNABLES,
    "first-input",
    "When a generator step of a chain begins",
    peer="When its first piece of input is there: what it yields before it reads waits for that.",
    ours="When it is first asked for a piece.",
    why="A heading that a step puts out first should not wait for the model's first token.",
)
_differs(
    RUNNABLES,
    "sums-that-cannot-be",
    "Answers whose pieces cannot be added",
    peer="A `RunnableGenerator` raises `TypeError` under `invoke`; every other step keeps the last piece.",
    ours="The last piece is kept everywhere.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    RUNNABLES,
    "objects-that-yield",
    "Objects in a chain whose `__call__` is a generator",
    peer="Their call's generator object is the answer.",
    ours="They are generator functions like any other.",
    why="What a function is does not depend on how it is written.",
)
_differs(
    RUNNABLES,
    "classes-of-runnables",
    "A runnable's class in a chain, in place of an instance",
    peer="The class is taken for a function, and is called with the input when the chain runs.",
    ours="`CoercionError` (a `TypeError`) when the chain is put together.",
    why="`| StrOutputParser` without its brackets is a slip that should show at once.",
)
_differs(
    RUNNABLES,
    "two-async-functions",
    "`RunnableLambda(func, afunc)` with an `async` function for both",
    peer="`TypeError`.",
    ours="Accepted: `func` under sync verbs, `afunc` under async ones.",
    why="Any function runs under any verb, so nothing is ambiguous.",
)
_differs(
    RUNNABLES,
    "assign-streams",
    "`RunnablePassthrough.assign` on a stream",
    peer="All of the input's pieces first, and the new keys' pieces after its end.",
    ours="Pieces of both, as they come.",
    why="The new keys' first piece need not wait for the input's last.",
)
_differs(
    RUNNABLES,
    "parallel-limit",
    "`max_concurrency` for the branches of a parallel step, under async verbs",
    peer="All branches run at once.",
    ours="At most that many run at once, under every verb.",
    why="The limit means the same in both colours.",
)
_differs(
    RUNNABLES,
    "batch-concurrency",
    "How many inputs of a batch run at once when nobody says",
    peer="Sync: as many as a thread pool has by default (cores + 4). Async: all of them.",
    ours="16, in both colours.",
    why="A batch of a thousand should not open a thousand connections, nor depend on the machine's cores.",
)
_differs(
    RUNNABLES,
    "map-of-no-list",
    "`map()` on something that is no list",
    peer="Text is taken letter by letter, a dict key by key; an iterator gives an empty list.",
    ours="`InputError` (a `TypeError`).",
    why="Nobody means the letters.",
)
_differs(
    RUNNABLES,
    "retry-streams",
    "`with_retry` on streams and on `batch_as_completed`",
    peer="They are not tried again.",
    ours="They are; a stream until its first item, so that nothing is said twice.",
    why="Most calls of a model are streams, and most failures come before the first token.",
)
_differs(
    RUNNABLES,
    "retry-gathers",
    "`with_retry` on a step whose input is a stream",
    peer="The input's pieces reach the step as they come, since the step is not tried again.",
    ours="The step is started when its input is complete. Its own output is streamed.",
    why="A second attempt needs the whole input again.",
)
_differs(
    RUNNABLES,
    "fallbacks-batch-error",
    "`with_fallbacks` in a batch where all fail",
    peer="`batch` raises, or returns, the last one's error; `invoke` the first one's.",
    ours="The first one's, in every verb.",
    why="The first is the one that was meant to answer.",
)
_differs(
    RUNNABLES,
    "fallbacks-empty-stream",
    "`with_fallbacks` on a stream that ends without an item",
    peer="That counts as a failure (`StopIteration` is an exception), under `stream` only.",
    ours="An empty answer is an answer.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    RUNNABLES,
    "fallbacks-keep-input",
    "`exception_key` and the caller's dict",
    peer="The error is written into the caller's own dict.",
    ours="The next one is given a copy with the error in it.",
    why="Inputs are the caller's.",
)
_differs(
    RUNNABLES,
    "listener-runs",
    "What a listener is told of a run",
    peer="Inputs and outputs wrapped (`{'input': ...}`), messages serialised, the error as text, times as "
    "`datetime`.",
    ours="Inputs, outputs and the exception as they are, times in seconds since the epoch.",
    why="A listener that counts or logs wants the objects; text is one `str()` away.",
)

MODELS = "Models"

_differs(
    MODELS,
    "run-ids",
    "Ids of messages that have none of their own",
    peer="`lc_run--<run id>`, and on a whole answer `lc_run--<run id>-0`.",
    ours="`run-<run id>`, the same on a whole answer and on each of its chunks.",
    why="One run, one id; and the prefix is the library's own.",
    level=_level_run_id,
)
_differs(
    MODELS,
    "last-chunk-id",
    "The id of the last, empty chunk of a model that names its own ids",
    peer="The run's id.",
    ours="The model's own, as on the other chunks.",
    why="All chunks of one answer carry one id.",
)
_differs(
    MODELS,
    "estimated-usage",
    "Usage of a model that reports none",
    peer="`usage_metadata` is None.",
    ours="An estimate from the numbers of characters, flagged `estimated`, on the last chunk and the answer.",
    why="A budget can be kept for every model, and nobody takes the estimate for a bill.",
    level=_level_estimate,
)
_differs(
    MODELS,
    "unfinished-arguments",
    "`tool_calls` of a chunk whose arguments are not complete",
    peer="What there is of them, read as far as it goes.",
    ours="The call stands in `invalid_tool_calls` until they are; `tool_call_chunks` has their text.",
    why="A call that is read from `tool_calls` can be made.",
    level=_level_unfinished,
)
