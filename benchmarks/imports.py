"""What an import costs in a fresh process, for the same names.

Both libraries load their names lazily, so the names are really fetched. The interpreter's own start is not
in the figure. A first round, which does not count, leaves the compiled files of all of them on disk, as an
installation does: in a folder of their own, whatever the environment says about writing them.
"""

import json
import os
import subprocess
import sys
import tempfile

from benchmarks.measure import Times
from benchmarks.rows import Limit, Row, count, milliseconds

ROUNDS = 7

# The import of the only dependency, for comparison.
FLOOR = "import msgspec"

OURS = (
    "from millstream import AIMessage, AIMessageChunk, BaseChatModel, ChatPromptTemplate, HumanMessage, "
    "MessagesPlaceholder, PromptTemplate, RunnableBranch, RunnableGenerator, RunnableLambda, "
    "RunnableParallel, RunnablePassthrough, RunnableSequence, StrOutputParser, SystemMessage, "
    "ToolMessage, chain"
)

PEER = """
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import RunnableBranch, RunnableGenerator, RunnableLambda, RunnableParallel
from langchain_core.runnables import RunnablePassthrough, RunnableSequence, chain
"""

_PROBE = """
import sys, time
known = set(sys.modules)
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
import json
tops = sorted({{name.partition(".")[0] for name in set(sys.modules) - known}} - sys.stdlib_module_names)
print(json.dumps([seconds, tops]))
"""


def rows() -> list[Row]:
    taken: dict[str, list[float]] = {FLOOR: [], OURS: [], PEER: []}
    packages: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as compiled:
        for number in range(ROUNDS + 1):
            for work, seen in taken.items():
                seconds, packages[work] = _in_fresh_process(work, compiled)
                if number:
                    seen.append(seconds)
    times = Times(taken)
    more = packages[OURS] - packages[FLOOR] - {"millstream"}
    return [
        Row(
            "import of the same names",
            milliseconds,
            times[OURS],
            times[PEER],
            times[FLOOR],
            [Limit(times.ratio(OURS, PEER), 1 / 6, " of the peer's")],
            note=f"{times.ratio(PEER, OURS):.1f}x below; floor: `{FLOOR}`",
        ),
        Row(
            "packages it loads besides msgspec",
            count,
            len(more),
            len(packages[PEER]),
            limits=[Limit(len(more), 0, " more")],
            note=", ".join(sorted(more)),
        ),
    ]


def _in_fresh_process(work: str, compiled: str) -> tuple[float, set[str]]:
    """The seconds that `work` takes, and the packages outside the standard library that it loads."""
    probe = _PROBE.format(work=work)
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True
    )
    seconds, packages = json.loads(done.stdout)
    return seconds, set(packages)
