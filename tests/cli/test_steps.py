"""The tree of steps, from events: made by hand, and of real runs of fake models."""

from typing import Any

import pyte
import pytest
from rich.cells import cell_len
from rich.console import Console

from millstream import AIMessageChunk, ChatPromptTemplate, RunnableLambda, RunnableParallel, StrOutputParser
from millstream.cli.step_rows import rows, seconds, tokens
from millstream.cli.step_view import StepView
from millstream.cli.steps import FOLD, Step, Steps
from millstream.errors import Cancelled, ModelError
from millstream.events import (
    EventsMissed,
    ReasoningDelta,
    RunCancelled,
    RunDone,
    RunEvent,
    RunFailed,
    RunReset,
    RunStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ToolCallStarted,
    ToolOutputDelta,
    UsageReported,
)
from millstream.messages import UsageMetadata
from millstream.runnables import Runnable
from millstream.testing import FakeChatModel
from millstream.tools import tool
from tests.cli.running import emulator, rows_of

MODEL = UsageMetadata(input_tokens=38, output_tokens=24)


def begun(name: str = "chain", time: float = 100.0) -> Steps:
    steps = Steps()
    steps.feed(RunStarted(run_id="root", name=name, kind="chain", time=time))
    return steps


def start(
    id: str, *parents: str, kind: str = "chain", tags: tuple[str, ...] = (), time: float = 100.0
) -> Any:
    parents = ("root", *parents)
    return StepStarted(
        run_id=id, parent_ids=parents, name=id.rstrip("0123456789"), kind=kind, tags=[*tags], time=time
    )


def finish(id: str, duration: float = 1.0, error: BaseException | None = None, **more: Any) -> StepFinished:
    return StepFinished(
        run_id=id, parent_ids=("root",), name=id, kind="chain", duration=duration, error=error, **more
    )


def told(steps: Steps, *events: RunEvent) -> Steps:
    for event in events:
        steps.feed(event)
    return steps


def shown(steps: Steps, width: int = 100, now: float = 102.0, height: int | None = None) -> list[str]:
    assert steps.root is not None
    lines = [row.plain for row in rows(steps.root, width, now, height)]
    assert all(cell_len(line) <= width for line in lines)
    return lines


def run(chain: Runnable[Any, Any], given: Any = "x") -> Steps:
    """The steps of a real run, to its end, whatever that is."""
    steps = Steps()
    with chain.start(given) as live:
        try:
            for event in live.events:
                steps.feed(event)
        except Exception:
            assert not steps.is_done
    assert steps.end is not None
    return steps


def tree(step: Step) -> Any:
    """Names and states."""
    inside = [tree(inner) for inner in step.inside]
    return (step.name, step.state, inside) if inside else (step.name, step.state)


def test_a_tree_tells_states_times_and_tokens() -> None:
    steps = told(
        begun(),
        start("prompt", kind="prompt"),
        finish("prompt", 0.004, first_item=0.004),
        start("both", time=100.1),
        start("model", "both", kind="chat_model", tags=("map:key:a",), time=100.1),
        TextDelta(run_id="model", text="Once\nupon a ", is_answer=False, time=100.5),
        TextDelta(run_id="model", text="time", is_answer=False, time=100.6),
        start("count", "both", tags=("map:key:b",), time=100.1),
        UsageReported(run_id="count", usage=MODEL),
        finish("count", 1.25, error=ModelError("It fell\nover.")),
        start("late", time=101.0),
        finish("late", 0.5, error=Cancelled("closed")),
    )
    assert shown(steps) == [
        "  step          kind         first    time   tokens",
        "● chain         chain               2.00 s  38 → 24",
        "✓ ├ prompt      prompt        4 ms    4 ms",
        "● ├ both        chain               1.90 s  38 → 24",
        "● │ ├ a: model  chat_model  400 ms  1.90 s           upon a time",
        "✗ │ └ b: count  chain               1.25 s  38 → 24  ModelError: It fell over.",
        "○ └ late        chain               500 ms           cancelled",
    ]
    told(steps, RunDone(run_id="root", output="end", time=103.0))
    assert steps.is_done
    assert steps.output == "end"
    # Nothing goes on after the end, also if that of a step was missed.
    assert [line[0] for line in shown(steps)] == [*" ✓✓✓✓✗○"]
    assert "3.00 s" in shown(steps, now=999)[1]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (ReasoningDelta(run_id="model", text="Hm.", time=100.5), "Hm."),
        (ToolCallStarted(run_id="model", index=0, name="look", time=100.5), "look ..."),
        (ToolOutputDelta(run_id="model", name="look", output={"a": 1}, time=100.5), "{'a': 1}"),
        (TextDelta(run_id="model", text="\x1b[2J\u202ehi", time=100.5), "␛[2Jhi"),
    ],
)
def test_what_a_step_says_comes_after_its_first_token(event: RunEvent, said: str) -> None:
    steps = told(begun(), start("model", kind="chat_model"), event)
    assert shown(steps)[2].split(None, 4)[4] == f"500 ms  2.00 s  {said}"


def test_the_estimate_of_tokens_is_marked() -> None:
    assert tokens(UsageMetadata(3, 4)) == "3 → 4"
    assert tokens(UsageMetadata(3, 4, estimated=True)) == "~3 → ~4"
    steps = told(begun(), start("a"), start("b"))
    told(steps, UsageReported(run_id="a", usage=MODEL))
    told(steps, UsageReported(run_id="b", usage=UsageMetadata(2, 6, estimated=True)))
    assert shown(steps)[1].endswith("~40 → ~30")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (-0.1, "0 ms"),
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (59.99, "59.99 s"),
        (75, "75 s"),
    ],
)
def test_times_are_short(count: float, said: str) -> None:
    assert seconds(count) == said


def test_many_that_ended_are_one() -> None:
    steps = begun()
    for n in range(200):
        told(steps, start(f"embed{n}"), start(f"inner{n}", f"embed{n}"))
    for n in range(199):
        told(steps, UsageReported(run_id=f"inner{n}", usage=MODEL), finish(f"inner{n}"))
        told(steps, finish(f"embed{n}", n / 100, first_item=0.25))
    assert shown(steps) == [
        "  step          kind     first     time       tokens",
        "● chain         chain            2.00 s  7562 → 4776",
        "✓ ├ embed ×199  chain  ≤250 ms  ≤1.98 s  7562 → 4776",  # noqa: RUF001
        "● └ embed       chain            2.00 s",
        "●   └ inner     chain            2.00 s",
    ]
    assert steps.root is not None
    assert [step.count for step in steps.root.inside] == [199, 1]


def test_a_few_stay_each_for_itself_and_other_ends_apart() -> None:
    steps = begun()
    for n in range(FOLD):
        told(steps, start(f"embed{n}"), finish(f"embed{n}"))
    told(steps, start("embed"), finish("embed", error=ModelError("No.")))
    assert len(shown(steps)) == 2 + FOLD + 1
    for n in range(FOLD):
        told(steps, start(f"embed{n}"), finish(f"embed{n}", error=ModelError("No.")))
    assert [line.partition("  ")[0] for line in shown(steps)[2:]] == [
        *["✓ ├ embed"] * FOLD,
        "✗ └ embed ×9",  # noqa: RUF001
    ]
    assert shown(steps)[-1].endswith("ModelError: No.")


def test_a_step_that_begins_anew_says_so_and_is_silent() -> None:
    steps = told(begun(), start("again"), start("model", "again", kind="chat_model"))
    told(steps, TextDelta(run_id="model", text="Once", is_answer=False, time=101.0))
    assert shown(steps)[3].endswith("Once")
    told(steps, RunReset(run_id="again", attempt=1, error=ModelError("No.")))
    assert shown(steps)[2].endswith("1 retry")
    assert "Once" not in "".join(shown(steps))
    told(steps, RunReset(run_id="again", attempt=2, error=ModelError("No.")))
    assert shown(steps)[2].endswith("2 retries")


def test_narrow_windows_leave_columns_out() -> None:
    steps = told(
        begun("a_chain_with_a_long_name_世界"),
        start("model", kind="chat_model"),
        TextDelta(run_id="model", text="Once", is_answer=False, time=101.0),
        UsageReported(run_id="model", usage=MODEL),
    )
    assert shown(steps, 80)[2] == "● └ model                        chat_model  1.00 s  2.00 s  38 → 24  Once"
    assert shown(steps, 70)[2] == "● └ model                        chat_model  1.00 s  2.00 s  38 → 24"
    assert shown(steps, 60)[:2] == [
        "  step                            first    time   tokens",
        "● a_chain_with_a_long_name_世界          2.00 s  38 → 24",
    ]
    assert shown(steps, 50)[1] == "● a_chain_with_a_long_name_世界          2.00 s"
    assert shown(steps, 30)[1:] == ["● a_chain_with_a_long…  2.00 s", "● └ model               2.00 s"]
    for width in range(1, 120):
        shown(steps, width)


def test_a_short_name_leaves_the_heading_whole() -> None:
    assert shown(begun("f"))[0].split() == ["step", "kind", "time"]


def test_low_windows_show_what_is_going_on() -> None:
    steps = begun()
    for n in range(10):
        told(steps, start(f"step{chr(97 + n)}"), start(f"in{n}", f"step{chr(97 + n)}"), finish(f"in{n}"))
    for n in range(9):
        told(steps, finish(f"step{chr(97 + n)}"))
    assert len(shown(steps)) == 22
    # What is inside of steps that ended goes first, then these.
    assert [line[:10] for line in shown(steps, height=14)[-3:]] == ["● └ stepj ", "✓   └ in  ", "  … 9 more"]
    assert shown(steps, height=6)[1:] == [
        "● chain    chain  2.00 s",
        "● └ stepj  chain  2.00 s",
        "  … 19 more",
    ]
    for height in range(1, 30):
        assert len(shown(steps, height=height)) <= max(height, 3)


def test_a_gap_in_the_events_is_survived() -> None:
    steps = told(begun(), EventsMissed(run_id="root", missed=3))
    told(steps, start("inner", "missed"), finish("missed"), TextDelta(run_id="missed", text="x"))
    assert steps.root is not None
    assert tree(steps.root) == ("chain", "running", [("inner", "running")])
    told(steps, RunCancelled(run_id="root", error=Cancelled("Stop.")))
    assert tree(steps.root) == ("chain", "cancelled", [("inner", "cancelled")])


def test_only_the_step_that_failed_tells_why() -> None:
    error = ModelError("No.")
    steps = told(begun(), start("outer"), start("inner", "outer"))
    told(steps, finish("inner", error=error), finish("outer", error=error))
    told(steps, RunFailed(run_id="root", error=error, time=101.0))
    assert [line for line in shown(steps) if "ModelError" in line] == [shown(steps)[-1]]
    assert [line[0] for line in shown(steps)[1:]] == [*"✗✗✗"]


# --- real runs ----------------------------------------------------------------------------------------


def test_branches_and_nested_chains() -> None:
    prompt = ChatPromptTemplate.from_template("Tell me of {x}.")
    asked = prompt | FakeChatModel([["Two ", "words."]]) | StrOutputParser()
    steps = run(RunnableParallel(a=asked, b=lambda x: len(x)) | RunnableLambda(str))
    assert steps.root is not None
    name, state, (both, last) = tree(steps.root)
    assert (name, state, last) == ("RunnableSequence", "done", ("str", "done"))
    assert both[:2] == ("RunnableParallel<a,b>", "done")
    assert sorted(both[2], key=str) == [
        (
            "a: RunnableSequence",
            "done",
            [(name, "done") for name in ("ChatPromptTemplate", "FakeChatModel", "StrOutputParser")],
        ),
        ("b: RunnableLambda", "done"),
    ]
    assert "".join(steps.text) == steps.output
    model = next(line for line in shown(steps) if "FakeChatModel" in line)
    assert "~" in model
    assert model.count("ms") == 2


def test_a_retry_shows_each_attempt() -> None:
    model = FakeChatModel([[ModelError("Busy.")], ["Better."]])
    steps = run(model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False))
    assert steps.root is not None
    assert [inner.state for inner in steps.root.inside] == ["error", "done"]
    assert (steps.root.resets, "".join(steps.text)) == (1, "Better.")
    assert [line.rpartition("  ")[2] for line in shown(steps)[1:3]] == ["1 retry", "ModelError: Busy."]


def test_the_step_that_fails_is_marked() -> None:
    steps = run(RunnableLambda(str.upper) | FakeChatModel([["Once", ZeroDivisionError("by zero")]]))
    assert steps.root is not None
    assert tree(steps.root) == (
        "RunnableSequence",
        "error",
        [("upper", "done"), ("FakeChatModel", "error")],
    )
    assert shown(steps)[-1].endswith("ZeroDivisionError: by zero")
    assert "".join(steps.text) == "Once"


def test_a_cancel_is_told() -> None:
    steps = Steps()
    chain = FakeChatModel([["word "] * 1000], delay=0.001) | StrOutputParser()
    with chain.start("x") as live, pytest.raises(Cancelled):
        for event in live.events:
            steps.feed(event)
            if isinstance(event, TextDelta):
                live.cancel()
    assert steps.root is not None
    assert {step.state for step in (steps.root, *steps.root.inside)} == {"cancelled"}
    model = steps.root.inside[0]
    assert model.usage is not None
    assert model.usage.estimated


def test_tools_tell_what_comes() -> None:
    @tool
    def survey(rivers: list[str]) -> Any:
        """Measure some rivers."""
        for river in rivers:
            yield f"measuring the {river}"
        return len(rivers)

    seen = []
    steps = Steps()
    with survey.start({"rivers": ["Rhine", "Oder"]}) as live:
        for event in live.events:
            steps.feed(event)
            if isinstance(event, ToolOutputDelta):
                seen.append(shown(steps)[1].rpartition("  ")[2])
    assert seen[:2] == ["measuring the Rhine", "measuring the Oder"]
    assert steps.output == 2

    calls = FakeChatModel(
        [[AIMessageChunk("", tool_call_chunks=[{"name": "survey", "args": "{}", "id": "1", "index": 0}])]]
    )
    steps = Steps()
    with calls.start("x") as live:
        for event in live.events:
            steps.feed(event)
            if isinstance(event, ToolCallStarted):
                assert shown(steps)[1].endswith("survey ...")


# --- the view -----------------------------------------------------------------------------------------


class Shown:
    """A view, and a terminal that shows it."""

    def __init__(self, columns: int = 40, rows: int = 8) -> None:
        self.screen = emulator(columns, rows)
        console = Console(force_terminal=True, width=columns)
        self.view = StepView(console, rows, clock=lambda: 102.0)

    def draw(self) -> list[str]:
        pyte.Stream(self.screen).feed(self.view.draw())
        return rows_of(self.screen)

    def finish(self) -> list[str]:
        pyte.Stream(self.screen).feed(self.view.finish())
        return rows_of(self.screen)


def test_the_text_stands_below_the_tree_as_far_as_there_is_room() -> None:
    on = Shown()
    on.view.feed(RunStarted(run_id="root", name="chain", kind="chain", time=100.0))
    assert on.draw() == ["  step   kind     time", "● chain  chain  2.00 s"]
    for n in range(30):
        on.view.feed(TextDelta(run_id="root", text=f"line {n}\n", time=101.0))
    assert on.draw() == [
        "  step   kind    first    time",
        "● chain  chain  1.00 s  2.00 s  line 29",
        *(f"line {n}" for n in range(25, 30)),
    ]
    on.view.stopping = True
    assert on.draw()[-1] == "stopping ... Ctrl-C again ends the prog…"
    assert len(on.draw()) == 7
    on.view.feed(RunDone(run_id="root", output="", time=103.0))
    assert on.finish() == ["  step   kind    first    time", "✓ chain  chain  1.00 s  3.00 s"]


def test_what_is_printed_comes_above_and_stays() -> None:
    on = Shown()
    on.view.feed(RunStarted(run_id="root", name="chain", kind="chain", time=100.0))
    on.draw()
    on.view.feed("one\ntwo\nthr")
    tree = ["  step   kind     time", "● chain  chain  2.00 s"]
    assert on.draw() == ["one", "two", *tree]
    on.view.feed("ee")
    assert on.draw() == ["one", "two", *tree]
    assert on.finish() == ["one", "two", "three", *tree]


def test_a_tree_higher_than_the_window_is_whole_at_the_end() -> None:
    on = Shown()
    on.view.feed(RunStarted(run_id="root", name="chain", kind="chain", time=100.0))
    for n in range(20):
        on.view.feed(start(f"step{chr(97 + n)}"))
        # No row of it has scrolled out of the window while it may still change.
        assert len(on.draw()) <= 7
    assert on.draw()[-1] == "  … 16 more"
    assert len(on.finish()) == 22


def test_what_was_typed_meanwhile_is_erased() -> None:
    on = Shown()
    on.view.feed(RunStarted(run_id="root", name="chain", kind="chain", time=100.0))
    on.draw()
    pyte.Stream(on.screen).feed("^C")
    on.view.feed(RunDone(run_id="root", output="", time=103.0))
    assert "^C" not in "".join(on.finish())
