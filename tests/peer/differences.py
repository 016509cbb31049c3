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
    if not fields.get("chunk_position") or all(_is_object(fragment["args"]) for fragment in fragments):
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
    "`tool_calls` of an answer that ended inside a call's arguments",
    peer="The call, with what there is of its arguments.",
    ours="While the answer is written, the same. Once it has ended, the call stands in `invalid_tool_calls`.",
    why="A call of a finished message can be made. One that was cut off, by a token limit say, cannot.",
    level=_level_unfinished,
)

MESSAGES = "Messages"

_differs(
    MESSAGES,
    "repeated-tool-name",
    "The name of a tool call that comes with each piece",
    peer="Joined: `ff`.",
    ours="Kept once.",
    why="Some servers repeat it with each piece.",
)
_differs(
    MESSAGES,
    "second-call-on-one-index",
    "A second call on an index that is in use",
    peer="Later pieces go to the first call.",
    ours="A different id opens a new call, and later pieces go to it.",
    why="Some servers send index 0 for every call.",
)
_differs(
    MESSAGES,
    "fragments-without-index",
    "Pieces of tool calls without an index",
    peer="They never merge.",
    ours="They go on by their id, or else with the last call.",
    why="Some servers leave the index out.",
)
_differs(
    MESSAGES,
    "null-ids",
    'Tool calls whose id is `""` or `"null"`',
    peer="These are ids.",
    ours="These are none.",
    why="Some servers send them for pieces after the first.",
)
_differs(
    MESSAGES,
    "repeated-metadata",
    "A string in `response_metadata` that comes twice",
    peer="Joined: `stopstop`.",
    ours="Kept once if it is equal.",
    why="Metadata are statements, and not pieces of text.",
)
_differs(
    MESSAGES,
    "repeated-names-in-kwargs",
    "Names inside `additional_kwargs` that come twice",
    peer="Joined.",
    ours="Kept once if they are equal.",
    why="They name something, and are no pieces of it.",
)
_differs(
    MESSAGES,
    "metadata-that-changes",
    "Metadata whose values cannot be merged",
    peer="A `TypeError` for floats, booleans, or values of two types.",
    ours="The last one stands.",
    why="Metadata must not cost an answer.",
)
_differs(
    MESSAGES,
    "empty-text-before-blocks",
    "An empty text before content blocks",
    peer="It stays, as an empty string before them.",
    ours="It goes.",
    why="It says nothing.",
)
_differs(
    MESSAGES,
    "text-after-an-empty-list",
    "A text after an empty list of blocks",
    peer="The text is lost.",
    ours="It is kept.",
    why="Nothing is lost.",
)
_differs(
    MESSAGES,
    "texts-in-lists",
    "Texts at the seam of two lists",
    peer="They stay two texts.",
    ours="They are joined.",
    why="So it does not matter in which order pieces are added.",
)
_differs(
    MESSAGES,
    "blocks-of-other-types-on-one-index",
    "Two content blocks of different types on one index",
    peer="They become one block.",
    ours="They stay two.",
    why="A text that is merged into an image is neither.",
)
_differs(
    MESSAGES,
    "ids-of-runs",
    "The id of a merged chunk",
    peer="Any id is a provider's, unless it begins with `lc_`.",
    ours="Ids that begin with `run-` give way to a provider's, too.",
    why="Ours begin so.",
)
_differs(
    MESSAGES,
    "names-of-chunks",
    "The `name` of chunks that are added",
    peer="It is dropped.",
    ours="The first one is kept.",
    why="Nothing is lost.",
)
_differs(
    MESSAGES,
    "chunks-of-two-kinds",
    "Adding chunks of two kinds",
    peer="They merge without a word.",
    ours="An `InputError`, which is a `TypeError`.",
    why="A human's words are no part of a model's.",
)
_differs(
    MESSAGES,
    "messages-do-not-add-up-to-a-prompt",
    "Adding two whole messages",
    peer="Gives a `ChatPromptTemplate`.",
    ours="A `TypeError`; `message + prompt` and `prompt + message` work.",
    why="Messages know nothing of prompts.",
)
_differs(
    MESSAGES,
    "a-pair-is-one-message",
    '`convert_to_messages(("human", "hi"))`',
    peer="Two messages.",
    ours="One, as a pair is inside of a list.",
    why="It is what was meant.",
)
_differs(
    MESSAGES,
    "one-text-is-one-message",
    '`convert_to_messages("hi")`',
    peer="A message for each letter.",
    ours="One message.",
    why="It is what was meant.",
)
_differs(
    MESSAGES,
    "broken-arguments-from-openai",
    "A tool call in OpenAI's shape with broken arguments",
    peer="A `JSONDecodeError`.",
    ours="It stands in `invalid_tool_calls`.",
    why="One broken call must not lose the rest of a conversation.",
)
_differs(
    MESSAGES,
    "repr",
    "The `repr` of messages",
    peer="Shows all fields.",
    ours="Leaves those out that hold their defaults.",
    why="A stream of chunks can be read.",
)
_differs(
    MESSAGES,
    "total-tokens",
    "`UsageMetadata` without a total",
    peer="It may be missing.",
    ours="It is the sum.",
    why="It is what was meant.",
)
_differs(
    MESSAGES,
    "calls-are-structs",
    "Tool calls and usage",
    peer="Are dicts.",
    ours="Are structs, which read and compare as dicts do, and have attributes.",
    why="They cost a tenth, and complete in an editor.",
)

PROMPTS = "Prompts"

_differs(
    PROMPTS,
    "templates-refused-when-they-are-read",
    "Templates with `{}`, `{ a }`, `{a.b}` or unbalanced braces",
    peer="Refused, some of them, when they are filled.",
    ours="A `TemplateError` when they are made.",
    why="A mistake is seen where it was made, and no template reaches into objects.",
)
_differs(
    PROMPTS,
    "append-adds-variables",
    "`append` on a chat prompt",
    peer="`input_variables` stay as they were.",
    ours="They grow.",
    why="It is what was meant.",
)
_differs(
    PROMPTS,
    "the-format-of-the-prompt-holds-for-what-is-appended",
    "The format of what is appended to a mustache prompt",
    peer="Always f-string.",
    ours="The prompt's own.",
    why="It is what was meant.",
)
_differs(
    PROMPTS,
    "format-names-what-is-missing",
    "`format` without a variable",
    peer="A bare `KeyError`.",
    ours="`PromptInputError`, a `KeyError` that names what is missing and what was given.",
    why="It says what to do.",
)
_differs(
    PROMPTS,
    "mustache-variables-must-be-given",
    "A mustache variable that is not given",
    peer="`format` leaves it empty, `invoke` raises.",
    ours="Both raise `PromptInputError`.",
    why="A hole in a prompt is not seen in an answer.",
)
_differs(
    PROMPTS,
    "falsy-items-of-a-mustache-list",
    'Items of a mustache list such as 0 and `""`',
    peer="Are skipped.",
    ours="Are shown.",
    why="So says mustache's specification.",
)
_differs(
    PROMPTS,
    "mustache-partials-and-delimiters",
    "Partials and changed delimiters in mustache",
    peer="Partials are silently empty, delimiters change.",
    ours="A `TemplateError`.",
    why="A prompt is one text, with nothing to include.",
)
_differs(
    PROMPTS,
    "mustache-spaces-after-a-last-tag",
    "Spaces after a section's tag at the end of a template",
    peer="Stay.",
    ours="Go, as elsewhere in the template.",
    why="So says mustache's specification.",
)
_differs(
    PROMPTS,
    "mustache-lambdas",
    "Functions as mustache values",
    peer="Are called.",
    ours="Are true, and nothing else.",
    why="A template runs no code.",
)
_differs(
    PROMPTS,
    "jinja2",
    "Jinja2 templates",
    peer="Can be used.",
    ours="Are refused.",
    why="They run code, and are a dependency.",
)
_differs(
    PROMPTS,
    "a-placeholder-takes-tuples-and-prompt-values",
    "What a `MessagesPlaceholder` takes",
    peer="Lists.",
    ours="Tuples and prompt values, too.",
    why="They are messages just the same.",
)
_differs(
    PROMPTS,
    "a-variable-named-stop",
    "A variable called `stop`",
    peer="Is refused.",
    ours="Is a variable.",
    why="Nothing speaks against it.",
)
_differs(
    PROMPTS,
    "prompts-printed-with-a-format-spec",
    "`pretty_repr` of a template with a format specification",
    peer="Raises.",
    ours="Shows the field.",
    why="It is what was meant.",
)
_differs(
    PROMPTS,
    "the-parser-refuses-other-things",
    "`StrOutputParser` on something that is no message",
    peer="A `ValidationError` of pydantic's.",
    ours="An `InputError` that names what it takes.",
    why="It says what to do.",
)

PARSERS = "Parsers"

_differs(
    PARSERS,
    "parsers-alone",
    "`stream` of a list or XML parser that stands alone, on a whole text",
    peer="One piece, the answer of `invoke`. In a chain the same parser gives item by item.",
    ours="Item by item, as in a chain.",
    why="A parser does the same wherever it stands.",
)
_differs(
    PARSERS,
    "lists-and-cuts",
    "Comma-separated lists whose text comes in pieces",
    peer="The items depend on the pieces: one in quotes falls apart, a line end between two is lost, an "
    "empty last one is dropped.",
    ours="They are those of the whole text, however it is cut.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    PARSERS,
    "list-items-when-they-end",
    "When a list parser yields an item",
    peer="When the next one has begun. The text of the current one is read anew with each piece.",
    ours="When its end has come: the comma, the line end. Each character is read once.",
    why="An item need not wait for the next, and a long one is not quadratic.",
)
_differs(
    PARSERS,
    "lists-of-ones-own",
    "A `ListOutputParser` of which only `parse` is known",
    peer="All items but the last go out with each piece, and the last one is parsed again with what follows. "
    "Where the parser takes separators away, that joins items.",
    ours="The items go out after the text's end.",
    why="Nothing says before whether an item is complete.",
)
_differs(
    PARSERS,
    "lists-that-csv-gives-up",
    "Single carriage returns, and items above 128 KiB, in a comma-separated list",
    peer="The whole text is split at its commas, quotes or not.",
    ours="A carriage return ends a line, and items may be of any length.",
    why="A stream cannot take back the items that it gave.",
)
_differs(
    PARSERS,
    "list-patterns",
    "A `pattern` of one's own for numbered and markdown lists",
    peer="Streams what matches so far. Without a group a stream raises `IndexError`, with several `invoke` "
    "gives tuples, and a stream the first.",
    ours="The items go out after the text's end. Without a group the item is the match, and several groups "
    "are a `ValueError` when the parser is made.",
    why="More text can change what a pattern matches.",
)
_differs(
    PARSERS,
    "blocks-in-parsed-streams",
    "Chunks whose content is a list of blocks, in a stream to a list or XML parser",
    peer="They are skipped.",
    ours="Their text is read.",
    why="Some providers send nothing else.",
)
_differs(
    PARSERS,
    "xml-around",
    "What stands around XML",
    peer="`invoke` reads what is between the first fence and the last, and raises if there is text besides "
    "one element; a tag that holds the word `encoding` is cut away with all before it. A stream begins at "
    "the first tag, in a comment too.",
    ours="Both read the first element outside of comments, fenced or not, and skip the rest.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    PARSERS,
    "xml-that-ends-early",
    "A stream of XML that ends early, or holds none",
    peer="It ends without a word.",
    ours="`OutputParserException` after the leaves that were complete, as `invoke` does.",
    why="A truncated answer must not look whole.",
)
_differs(
    PARSERS,
    "xml-faults",
    "Broken XML",
    peer="A stream raises the XML parser's `ParseError`, which is a `SyntaxError`; text that is no Unicode "
    "raises `UnicodeEncodeError`.",
    ours="`OutputParserException` in every verb, with the text and the path of the open tags.",
    why="It can be caught by one name, and tried again.",
)
_differs(
    PARSERS,
    "xml-document-types",
    "XML with a document type",
    peer="Read if it declares no entities, else defusedxml's `EntitiesForbidden`. A stream skips it.",
    ours="`OutputParserException`.",
    why="No answer needs one, and what they can do is attack.",
)
_differs(
    PARSERS,
    "xml-depth",
    "Deeply nested XML",
    peer="`RecursionError` at some hundreds of levels, as deep as the stack happens to allow.",
    ours="`OutputParserException` at more than 200 levels, or at `max_depth`.",
    why="The limit is the same wherever the parser is called from.",
)
_differs(
    PARSERS,
    "xml-one-parser",
    'The XML parser behind the parser: `XMLOutputParser(parser="xml")`',
    peer="`defusedxml`, which is to be installed, or Python's own without its protection.",
    ours="Python's own, which is given no document type. There is no such option.",
    why="Nothing to install, and nothing to protect from.",
)
_differs(
    PARSERS,
    "json-half-escapes",
    "A piece of JSON that ends inside an escape",
    peer="After half of a `\\u` code the text disappears, and comes back with the next piece; half of a "
    "character that takes two of them is shown.",
    ours="The text before it stands until the escape is complete.",
    why="What was shown is not taken back.",
)
_differs(
    PARSERS,
    "json-blanks-at-the-end",
    "A piece of JSON that ends with a blank or a backtick inside a text",
    peer="They are stripped, until the next piece shows them.",
    ours="They are shown.",
    why="They are part of the text.",
)
_differs(
    PARSERS,
    "json-number-types",
    "A number that becomes a float: `1`, then `1.0`",
    peer="Nothing is yielded, as they are equal; a patch that says so comes with a later one.",
    ours="The value is yielded, or a patch for it.",
    why="What was yielded last is what the whole text says.",
)
_differs(
    PARSERS,
    "json-null",
    "A stream of JSON that is `null`",
    peer="Yields nothing, so a function behind it fails.",
    ours="Yields None.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    PARSERS,
    "json-bare-values",
    "A stream of JSON that is a single text or number",
    peer="Each state of it, which a function behind adds up: `1` and `12` to 13.",
    ours="Once, at its end.",
    why="Only the end shows that it is the answer, and states are no pieces.",
)
_differs(
    PARSERS,
    "json-first-words",
    "Text that begins with a word, a number or a quotation and goes on",
    peer="The beginning is the answer: `true story` is True.",
    ours="Prose. The first object or list in it counts.",
    why="It is what was meant.",
)
_differs(
    PARSERS,
    "json-lists-add-up",
    "States of JSON before a function",
    peer=(
        "The states of a list are added, `[1]` and `[1, 2]` to `[1, 1, 2]`, and so are the texts, numbers "
        "and lists that `pick` and `assign` take out of states. Those of an object are not."
    ),
    ours="The function gets the last state, or what was taken out of it.",
    why="States are no pieces.",
)
_differs(
    PARSERS,
    "json-around",
    "What stands around JSON",
    peer="Passed over if the JSON is in the first fence, which names `json` in small letters or no language. "
    "Anything else raises, and in a stream yields nothing; an unbalanced bracket behind the value makes it "
    "None.",
    ours="The first object or list counts, in any fence or in prose.",
    why="It is what was meant.",
)
_differs(
    PARSERS,
    "json-without-json",
    "A stream of text without JSON",
    peer="Ends without a word.",
    ours="`OutputParserException` at its end, as `invoke` does.",
    why="`invoke` and `stream` of one step agree.",
)
_differs(
    PARSERS,
    "json-truncated",
    "JSON that ends early",
    peer="What there is of it is the answer.",
    ours="A stream yields what there is, and raises `OutputParserException` at its end, as `invoke` does. "
    "With `allow_truncated=True` what there is of it is the answer.",
    why="A truncated answer must not look whole.",
)
_differs(
    PARSERS,
    "json-malformed",
    "Broken JSON",
    peer="A stream yields what came before the fault, and nothing after it. `invoke` raises with the text; a "
    "wrong closing bracket makes it None.",
    ours="`OutputParserException` with the text and the path of the fault, in a stream as soon as that has "
    "come. `repair=True` reads what models write instead of JSON.",
    why="A broken answer must not look whole.",
)
_differs(
    PARSERS,
    "json-nan",
    "`NaN`, `Infinity` and `-Infinity`",
    peer="Are read.",
    ours="Are read with `repair=True`.",
    why="They are no JSON, and most of what reads JSON next does not take them.",
)
_differs(
    PARSERS,
    "json-limits",
    "JSON that is nested very deeply, or has numbers of thousands of digits",
    peer="`RecursionError`, and Python's own `ValueError`.",
    ours="`OutputParserException`, at 500 levels or `max_depth`, 4,300 digits or `max_digits`.",
    why="The limit is the same wherever the parser is called from.",
)
_differs(
    PARSERS,
    "json-long-texts",
    "A text inside JSON that is longer than 16,384 characters, while it grows",
    peer="Each piece is shown.",
    ours="It is shown when it has grown by a 32nd, and at its end.",
    why="Each state is a copy of the text. With all of them, twice the length costs four times as much.",
)
_differs(
    PARSERS,
    "json-shared-parts",
    "Objects and lists inside a state that are complete",
    peer="Each state has its own.",
    ours="Later states hold the same ones. Copy a state before you change it.",
    why="A state costs as much as is open in it, and not as much as has come.",
)
_differs(
    PARSERS,
    "json-patches-alone",
    "`stream` of `JsonOutputParser(diff=True)` that stands alone, on a whole text",
    peer="The value, as `invoke` gives it.",
    ours="A patch that sets the value, as in a chain.",
    why="A parser does the same wherever it stands.",
)
_differs(
    PARSERS,
    "json-patches-that-shift",
    "Patches where a value was there before, and for keys that come twice",
    peer="May move a value, insert one before another, or remove one.",
    ours="Only `add` at what is new, and `replace`.",
    why="The patch says what the piece did.",
)
_differs(
    PARSERS,
    "json-texts-and-messages",
    "A stream of texts and messages to a JSON parser",
    peer="`TypeError` at the first that is not like those before.",
    ours="Both are read.",
    why="A step in between may turn some of them into text.",
)
_differs(
    PARSERS,
    "json-beside-others",
    "Objects that grow beside other keys of a parallel step",
    peer="Cannot be added: a function behind gets the last piece, without the other keys.",
    ours="The last state of each key counts.",
    why="Nothing is lost.",
)
_differs(
    PARSERS,
    "json-options",
    "An option that a JSON parser does not have",
    peer="Is ignored.",
    ours="`TypeError`.",
    why="A misspelt option was silently without effect.",
)
_differs(
    PARSERS,
    "json-instructions",
    "`get_format_instructions` of JSON parsers",
    peer="The schema without its title and type, in a text with an example; without a schema one sentence.",
    ours="The whole schema, in a text of ours.",
    why="The words are the library's own.",
)
_differs(
    PARSERS,
    "pydantic-partial-objects",
    "A stream to `PydanticOutputParser`",
    peer="Objects that are valid, and nothing if none is.",
    ours="Objects as they fill: what has not come holds its default or None, and nothing is validated but "
    "the last one. If that is not valid, `OutputParserException`.",
    why="An object with required fields is seen to grow, and an invalid answer does not look like none.",
)
_differs(
    PARSERS,
    "pydantic-errors",
    "What the error of an invalid object holds",
    peer="Its `llm_output` is the value, written anew as JSON.",
    ours="`llm_output` is the model's text, and `path` the place of the first fault.",
    why="It is what the model said.",
)
_differs(
    PARSERS,
    "pydantic-patches",
    "`PydanticOutputParser(diff=True)`",
    peer="`invoke` gives the object, a stream raises `TypeError`.",
    ours="`ConfigError` (a `TypeError`) when it is made.",
    why="A mistake is seen where it was made.",
)
_differs(
    PARSERS,
    "pydantic-v1",
    "Models of `pydantic.v1` in parsers",
    peer="Are made.",
    ours="`ConfigError` (a `TypeError`) when the parser is made.",
    why="Python 3.14 does not have them any more.",
)

TOOLS = "Tools"

_differs(
    TOOLS,
    "tool-schemas",
    "What a tool's `args`, `args_schema` and `tool_call_schema` are",
    peer="`args` has a title for each argument, and references to definitions that it does not hold. "
    "`args_schema` of a function and `tool_call_schema` are pydantic models.",
    ours="`args` has no titles, and the definitions in their places. `args_schema` of a function is a "
    "TypedDict, and `tool_call_schema` the JSON schema itself.",
    why="It is what a model is told, and needs no pydantic.",
)
_differs(
    TOOLS,
    "tool-recursive-schemas",
    "Types that hold themselves, in what a server is told",
    peer="The definitions are left away, and what holds itself is told to be anything.",
    ours="They stand in `$defs`, where the references lead to.",
    why="The model is told the whole type.",
)
_differs(
    TOOLS,
    "tool-descriptions",
    "A docstring of several lines as the description",
    peer="The lines after the first keep their indentation.",
    ours="Without it.",
    why="It is where the function stands in its file, and costs tokens.",
)
_differs(
    TOOLS,
    "tool-docstrings",
    "A docstring without a blank line before `Args:`",
    peer="`ValueError`.",
    ours="It is read.",
    why="It is what was meant.",
)
_differs(
    TOOLS,
    "tool-mistakes",
    "Errors about how a tool is written",
    peer="`ValueError`. A method without its object becomes a tool that cannot be called.",
    ours="`ConfigError`, a `TypeError`.",
    why="One kind of mistake, one kind of error.",
)
_differs(
    TOOLS,
    "tool-input-errors",
    "Arguments that are wrong",
    peer="pydantic's `ValidationError`, a `ValueError`, which shows the values.",
    ours="`ToolInputError`, a `ValueError` and a `TypeError`, with the tool's name and the path of the "
    "fault, and without the values.",
    why="It can be caught by one name, and what was given may be secret.",
)
_differs(
    TOOLS,
    "tool-validation-texts",
    "`handle_validation_error=True`",
    peer="The model is told that there was an error.",
    ours="It is told which argument is wrong, and how.",
    why="It can mend its call.",
)
_differs(
    TOOLS,
    "tool-validation-inside",
    "A `ValidationError` of pydantic's that a tool's own code raises",
    peer="Is taken for a wrong argument, and handled as one.",
    ours="Is raised.",
    why="The model did nothing wrong.",
)
_differs(
    TOOLS,
    "tool-lax-values",
    "`True` or a text with blanks for a number, `yes` or `on` for a truth value",
    peer="Are taken.",
    ours="Are taken if there is a type of pydantic's among the arguments, and else a `ToolInputError`. A "
    "number as a text is taken always, and so are `true` and `1`.",
    why="msgspec reads them, without pydantic.",
)
_differs(
    TOOLS,
    "tool-texts-are-read",
    "A text as the input of a tool whose argument is no text",
    peer="Is checked, and then handed on as a text.",
    ours="Is read as the argument's type.",
    why="It is what was checked.",
)
_differs(
    TOOLS,
    "tool-any-arguments",
    "A function with `**others`",
    peer="They are described as one argument of that name, and what is given is dropped.",
    ours="The schema says that there may be others, and they are handed on.",
    why="It is what was written.",
)
_differs(
    TOOLS,
    "tool-parameters",
    "Parameters named `config` or `run_manager` in a function",
    peer="`config` without a type is an argument for the model to give. `run_manager` is hidden, and "
    "missing when the function is called.",
    ours="Both are hidden and filled, as `callbacks` is. One with the type of an argument, such as "
    "`config: str`, is a `ConfigError` when the tool is made.",
    why="It is what was meant.",
)
_differs(
    TOOLS,
    "tool-given-arguments",
    "Arguments with `InjectedToolArg` that the program forgot, or gave with another type",
    peer="`ValidationError`, which the model is told if it is told of wrong arguments.",
    ours="What is missing is a `ConfigError`. What is given goes to the function as it is; a field of an "
    "`args_schema` is checked.",
    why="The model cannot mend it, and the value is the program's own.",
)
_differs(
    TOOLS,
    "tool-partials",
    "Tools that are made of a `functools.partial`",
    peer="`TypeError`.",
    ours="What the partial gives is hidden from the model, and cannot be replaced by it.",
    why="It may be a key.",
)
_differs(
    TOOLS,
    "tool-runnables",
    "`tool('name', runnable)`",
    peer="Without a description it is the runnable's `repr`. An `args_schema` has no effect.",
    ours="Without one it is that of the tool or the function, or a `ConfigError`. An `args_schema` says what "
    "it takes.",
    why="A model has to be told what it is for.",
)
_differs(
    TOOLS,
    "tool-keywords",
    "Keywords of a call, or of `bind`",
    peer="Have no effect.",
    ours="Are arguments, and replace those of the input.",
    why="A program can fill an argument that a model shall not choose.",
)
_differs(
    TOOLS,
    "tool-json-schemas",
    "Tools whose `args_schema` is a JSON schema",
    peer="A text is a `ValueError`. What is missing is an error of the function's.",
    ours="A text is taken for the only argument. What is missing is a `ToolInputError`.",
    why="A tool takes the same inputs wherever its schema is from.",
)
_differs(
    TOOLS,
    "tool-schema-classes",
    "Dataclasses, TypedDicts and msgspec's structs as `args_schema`",
    peer="`TypeError`: only pydantic models are taken.",
    ours="Are taken.",
    why="Every kind of record can be a parameter, too.",
)
_differs(
    TOOLS,
    "tool-classes",
    "Tools that are classes",
    peer="`_run` has to be there. Attributes that nobody knows are dropped. Without an `args_schema` the "
    "arguments are not checked.",
    ours="`_arun` alone is enough. Unknown attributes are a `ConfigError`. The arguments are checked by the "
    "types of `_run`.",
    why="A tool does the same in each form, and a misspelt name is found.",
)
_differs(
    TOOLS,
    "tool-generators",
    "Generator functions as tools",
    peer="The generator itself is the answer.",
    ours="What they yield is streamed, and together it is the answer, unless the generator returns one.",
    why="A long tool can say how far it is.",
)
_differs(
    TOOLS,
    "tool-calls-without-an-id",
    "A tool call without an id",
    peer="With None the answer is no message, and without the key it is a `KeyError`.",
    ours="A `ToolMessage` whose `tool_call_id` is empty.",
    why="Some local models give none, and a call is answered with a message.",
)

STRUCTURED = "Typed answers"

_differs(
    STRUCTURED,
    "structured-calls-fill",
    "Streams of `with_structured_output` with a pydantic model, by a tool call",
    peer="Objects that are valid, and nothing until there is one.",
    ours="Objects as they fill, and a validated one at last, by any method.",
    why="An object is seen to grow, whichever way the model is held to it.",
)
_differs(
    STRUCTURED,
    "structured-bindings",
    "`bind_tools` and `with_structured_output` of what `bind` or `with_config` returned",
    peer="What was bound is lost.",
    ours="It stays on the model.",
    why="Nobody binds a stop text to have it dropped.",
)
_differs(
    STRUCTURED,
    "structured-no-call",
    "`with_structured_output` by a tool call, of a model that answers in words",
    peer="None.",
    ours="`OutputParserException` with the words in `llm_output`.",
    why="It is a failed answer, and `with_retry` or `with_fallbacks` can mend it.",
)

RETRIEVAL = "Retrieval"

_differs(
    RETRIEVAL,
    "one-method-of-either-colour",
    "What one has to write for a retriever, embeddings or a vector store",
    peer="The sync methods, all that are abstract, or the class cannot be made: `embed_query` too, and "
    "`_get_relevant_documents` beside `_aget_relevant_documents`.",
    ours="One method, `def` or `async def`; the others follow, in both colours.",
    why="A client that awaits needs no second copy.",
)
_differs(
    RETRIEVAL,
    "documents-as-text",
    "How a `Document` is shown",
    peer="Its `repr` holds the id, and empty metadata.",
    ours="The text, and metadata if there are any, as its `str` does in both.",
    why="A list of documents in a prompt is shown by their `repr`, and an id tells a model nothing.",
)
_differs(
    RETRIEVAL,
    "equal-scores",
    "Documents that are equally near to a query",
    peer="Come in the order of numpy's sort, backwards: of few documents, the last that was added first.",
    ours="The one that was added first comes first.",
    why="The order is always the same.",
)
_differs(
    RETRIEVAL,
    "filters-as-dicts",
    "`filter` of a search in an `InMemoryVectorStore`",
    peer="A function of a document. With a dict, `TypeError`.",
    ours="A function, or a dict of the metadata that a document must have.",
    why="Most filters ask for equal values.",
)
_differs(
    RETRIEVAL,
    "filters-that-wait",
    "`filter` of a search that is an `async def`, or yields",
    peer="All documents pass it.",
    ours="`ConfigError` (a `TypeError`).",
    why="A filter may be what keeps a document from who must not see it.",
)
_differs(
    RETRIEVAL,
    "relevance-in-memory",
    "`similarity_score_threshold` with an `InMemoryVectorStore`",
    peer="`NotImplementedError`.",
    ours="A document's relevance is its score, the cosine, at least 0 and at most 1.",
    why="It is there.",
)
_differs(
    RETRIEVAL,
    "search-options",
    "Options of a search that it does not have",
    peer="Some are ignored, others are a `TypeError` when the chain runs. A threshold has to be a `float`.",
    ours="`ConfigError` (a `TypeError`) from `as_retriever`, and `TypeError` from a search. A `k` below 0 is "
    "an error, too.",
    why="A misspelt option was silently without effect.",
)
_differs(
    RETRIEVAL,
    "vectors-that-do-not-fit",
    "Embeddings of another length, or with numbers that are none",
    peer="Are kept, and every search fails then (`ValueError`), or warns.",
    ours="`EmbeddingError` (a `ValueError`) when they are added; the store stays as it was.",
    why="One bad answer of a server does not spoil a store.",
)
_differs(
    RETRIEVAL,
    "too-few-ids",
    "Fewer ids than texts",
    peer="The texts without an id are not added, and nothing is said.",
    ours="`InputError` (a `TypeError`).",
    why="Nothing is lost.",
)
_differs(
    RETRIEVAL,
    "retriever-keywords",
    "Keywords of a call for a retriever that is written for sync code",
    peer="Under async verbs, `TypeError`.",
    ours="They are handed on in both colours.",
    why="A chain that works under one verb works under all.",
)
_differs(
    RETRIEVAL,
    "retriever-answers",
    "A retriever whose method returns no list",
    peer="Whatever it is goes on to the next step.",
    ours="A tuple becomes a list; anything else is an `InputError`.",
    why="A forgotten `return` is found where it is.",
)


EVENTS = "Events"

_differs(
    EVENTS,
    "events-errors",
    "A step that fails",
    peer="Its start has no end; the error is raised.",
    ours="`on_<type>_error` of each run that it ends, with `data['error']`, and then the error is raised.",
    why="Every start has an end, and who watches is told first.",
)
_differs(
    EVENTS,
    "events-cut-short",
    "A step whose stream is closed before its end",
    peer="It is read to its end all the same, for the record: the model writes on.",
    ours="`on_<type>_error` with `Cancelled`; also where code dropped a stream that it had begun to read.",
    why="Who reads no more pays for no more; and every start has an end, inside the run around it.",
)
_differs(
    EVENTS,
    "events-whole-answers",
    "The answer in the end of a model that streamed",
    peer="Without the last, empty chunk, and so without the usage that it carries.",
    ours="All chunks.",
    why="It is the whole answer.",
)
_differs(
    EVENTS,
    "events-text-pieces",
    "The pieces of a text model inside a chain",
    peer="A `GenerationChunk` each, and no events at all if the model's author did not report them by hand; "
    "texts where the model is run alone.",
    ours="Texts, always.",
    why="A text model streams texts, wherever it stands.",
)
_differs(
    EVENTS,
    "events-text-for-a-tool",
    "A tool in a chain that is given a text",
    peer="Its events tell of an empty input, `{}` or none.",
    ours="Its start and its end tell the text.",
    why="What a step was given is what its events are for.",
)
_differs(
    EVENTS,
    "events-input-of-the-run",
    "The input of the run, where its first event is filtered out",
    peer="It stands in whichever event comes first, in place of that event's own.",
    ours="It stands in the run's first event, and nowhere else.",
    why="An event tells of its own run.",
)
_differs(
    EVENTS,
    "events-sync",
    "Event streams in sync code",
    peer="There are none.",
    ours="`stream_events`, live: the run has a thread of its own.",
    why="Sync programs have users who wait, too.",
)
_differs(
    EVENTS,
    "events-backpressure",
    "A reader of events that is slow",
    peer="The run goes on, and its events are kept.",
    ours="The run waits: it is at most `buffer` events (64) ahead.",
    why="Memory is bounded, and nobody pays for words that nobody reads.",
)
_differs(
    EVENTS,
    "events-numbers",
    "The order and the time of events",
    peer="Not told.",
    ours="`seq`, from 1 and without a gap, and `time`.",
    why="Who resumes a stream, or shows how long a step took, needs them.",
)
_differs(
    EVENTS,
    "log-errors",
    "Runs that failed, in a log",
    peer="Their `final_output` is `{}`, or what a model had said until then.",
    ours="It stays None; `end_time` says that they ended.",
    why="What failed gave no answer.",
)
_differs(
    EVENTS,
    "log-names",
    "Runs with `/` or `~` in their names, in a log",
    peer="Their paths lead elsewhere, and the patches cannot be added.",
    ours="Paths are escaped, as RFC 6901 says.",
    why="A log of any chain adds up.",
)
_differs(
    EVENTS,
    "log-states",
    "The `final_output` of a log where each piece replaces those before, as a JSON parser's",
    peer="Lists, texts and numbers are added all the same. In a parallel step, other keys are lost.",
    ours="Each replaces the one before, in its own key.",
    why="It is the answer.",
)
_differs(
    EVENTS,
    "log-texts",
    "`streamed_output_str` of a model that streams blocks",
    peer="The lists of blocks.",
    ours="Their text.",
    why="The name says that they are texts.",
)
_differs(
    EVENTS,
    "log-shared-states",
    "The states of one log (`astream_log` with `diff=False`, and sums of patches)",
    peer="Each is a deep copy.",
    ours="They share what has not changed. Copy a state before you change it.",
    why="A state costs what is new in it, and pointers.",
)
_differs(
    EVENTS,
    "log-leaving",
    "Closing a log before its end",
    peer="The run goes on.",
    ours="The run is closed, and closing waits for that.",
    why="Who reads no more pays for no more.",
)
_differs(
    EVENTS,
    "log-deprecated",
    "`astream_log` itself",
    peer="Warns that it will be removed.",
    ours="Is there, and does not warn.",
    why="Programs that read it go on.",
)


HANDLERS = "Handlers"

_differs(
    HANDLERS,
    "handler-arguments",
    "Arguments of a handler's methods",
    peer="`serialized` is None at a chain's start, and for others a dump of the object. `name` is None at a "
    "model's and a tool's unless the run was named. Models' have `invocation_params`, `options` and "
    "`batch_size`, tools' a `color`. `on_llm_error` has the text so far as `response=`.",
    ours="`serialized` is a dict with `name` and `id` (the class's path) for all, and `name` is the run's. "
    "None of the others. `on_llm_end` and `on_llm_error` have the tokens that were spent, in "
    "`response.llm_output`.",
    why="A handler that reads either finds the name. A run that failed was paid for, too.",
)
_differs(
    HANDLERS,
    "handler-inputs",
    "The input of a branch or of fallbacks that stream",
    peer="It is in `on_chain_start`.",
    ours="`{'input': ''}` in `on_chain_start`, and `inputs=` in `on_chain_end`, as of all chains that "
    "stream.",
    why="They stream their input on, too.",
)
_differs(
    HANDLERS,
    "handler-parents",
    "The `parent_run_id` of what fallbacks run, under `invoke`",
    peer="None: they look like runs of their own.",
    ours="The fallbacks' run.",
    why="They run inside it.",
)
_differs(
    HANDLERS,
    "handlers-that-raise",
    "A handler that raises",
    peer="It is logged in one line, each time. With `raise_error`, what an `async` handler raises under sync "
    "verbs is logged only, and a run whose start raised is told no error.",
    ours="It is logged with its traceback, once for each method. With `raise_error` it is raised, in every "
    "colour, and a run whose start was told is told its error.",
    why="A handler that fails at each token fills no log; and every start has an end.",
)
_differs(
    HANDLERS,
    "handlers-and-retries",
    "`on_retry` of `with_retry`",
    peer="Not called.",
    ours="Called after each attempt that failed and is followed by another.",
    why="That something was tried three times is what one wants to know of it.",
)
_differs(
    HANDLERS,
    "handlers-cut-short",
    "A stream that is closed before its end",
    peer="Sync, the model writes on to its end, and ends are told without an output. Async, errors are told, "
    "of the runs around before those inside, or when the garbage collector comes.",
    ours="The model is stopped; `on_llm_error` and `on_chain_error` with `GeneratorExit`, the inner ones "
    "first.",
    why="Who reads no more pays for no more; and every start has an end, inside the run around it.",
)
