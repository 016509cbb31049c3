"""Each program in `examples/` runs to its end, prints what it should, and says nothing on stderr."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.providers.local_server import KEY, LocalServer

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCES = Path(__file__).parents[2] / "src"
# Those on the wires of OpenAI and Anthropic, which the local model's own server speaks.
WIRES = {
    "agent.py",
    "anthropic_streaming.py",
    "one_line_changed.py",
    "openai_streaming.py",
    "own_http_client.py",
    "provider_callbacks.py",
    "streamed_tool_calls.py",
}
LOCAL = {
    "callbacks.py",
    "countries.py",
    "event_filters.py",
    "events.py",
    "events_inside.py",
    "events_waiting.py",
    "hello.py",
    "retrieval.py",
    "runs.py",
    "sentences.py",
    "steps.py",
    "tool_calls.py",
    "typed.py",
}
SECONDS = 100

# What each prints; None where only the fact counts that it prints something.
EXPECTED = {
    "batch.py": """\
['RIVERS', 'BEND']
1 IT
2 BENDS
0 MEANDERING
['RIVERS', ValueError("'1/0' is no word")]
""",
    "cancel.py": """\
and and and (closed) after a break
and (closed) after by_leaving
(closed) too slow after by_timeout
(closed) cancelled after by_cancel
""",
    "hello.py": None,
    "messages.py": None,
    "notebook.py": """\
RIVERS BEND
'RIVERS '
'BEND'
''
""",
    "own_model.py": """\
Streaming       stream  ['rivers ', 'bend ', 'slowly ', '']
AsyncStreaming  stream  ['rivers ', 'bend ', 'slowly ', '']
Whole           stream  ['rivers bend slowly', '']
AsyncWhole      stream  ['rivers bend slowly', '']
Streaming       astream ['rivers ', 'bend ', 'slowly ', '']
AsyncStreaming  astream ['rivers ', 'bend ', 'slowly ', '']
Whole           astream ['rivers bend slowly', '']
AsyncWhole      astream ['rivers bend slowly', '']
""",
    "prompts.py": None,
    "tracing.py": """\
1233 km.
POST /ask
  answer
    execute_tool length
      GET /rivers
    RunnableSequence
      ChatPromptTemplate
      chat FakeChatModel stop
      StrOutputParser
""",
    "tools.py": """\
{'type': 'string', 'description': 'its English name'}
1233 km
1 success 2850 km
2 error No river is called Styx. Known: Danube, Rhine.
measuring the Danube
measuring the Rhine
{'Danube': 2850, 'Rhine': 1233}
""",
}


@functools.cache
def run(name: str, *arguments: str) -> str:
    """The output of an example, with warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def names(*, local: bool) -> list[str]:
    """The examples, those with the local model or the others."""
    found = {path.name for path in EXAMPLES.glob("*.py")}
    return sorted(found & LOCAL if local else found - LOCAL - WIRES)


@pytest.mark.parametrize("name", [name for name in names(local=False) if name != "parallel.py"])
def test_example(name: str) -> None:
    printed = run(name)
    expected = EXPECTED.get(name)
    assert printed
    assert expected is None or printed == expected


def test_parallel_streams_every_branch_and_adds_up() -> None:
    *pieces, answer = run("parallel.py").splitlines()
    assert answer == str({"calm": "They are fine.", "hasty": "Love them!"})
    told = [next(iter(ast.literal_eval(piece).items())) for piece in pieces]
    assert "".join(text for key, text in told if key == "calm") == "They are fine."
    assert "".join(text for key, text in told if key == "hasty") == "Love them!"


@pytest.mark.local
def test_hello_prints_an_answer() -> None:
    assert "river" in run("hello.py").lower()


@pytest.mark.local
def test_sentences_are_the_same_in_both_colours_of_verb_and_generator() -> None:
    runs: dict[str, list[str]] = {}
    sentences: list[str] = []
    for line in run("sentences.py").splitlines():
        if not line.startswith("  - "):
            sentences = runs[line] = []
        else:
            sentences.append(line)
    assert list(runs) == ["sentences, sync", "asentences, sync", "sentences, async", "asentences, async"]
    first = runs["sentences, sync"]
    assert len(first) >= 2
    assert all(other == first for other in runs.values())


@pytest.mark.local
def test_countries_grow_and_each_finished_name_comes_once() -> None:
    *values, at_the_end, sync_def, sync_async, async_def, async_async = run("countries.py").splitlines()
    grown = [ast.literal_eval(value) for value in values]
    assert grown[0] == {}
    assert {"countries": [{"name": "France"}]} in grown
    assert [country["name"] for country in grown[-1]["countries"]] == ["France", "Spain", "Japan"]
    assert all(type(country["population"]) is int for country in grown[-1]["countries"])
    assert len(grown) > 10
    assert at_the_end == "['France', 'Spain', 'Japan']"
    assert [sync_def, sync_async, async_def, async_async] == ["France Spain Japan "] * 4


@pytest.mark.local
def test_a_typed_answer_fills() -> None:
    first, *others, told = run("typed.py").splitlines()
    assert first == "Country(name=None, capital=None, population=None)"
    assert len(others) > 3
    assert told == "Madrid is the capital of Spain."


@pytest.mark.local
def test_a_forced_call_grows_and_its_result_is_told() -> None:
    *grown, result, answer = run("tool_calls.py").splitlines()
    assert grown[0] == "weather {}"
    assert "weather {'city': ''}" in grown
    assert grown[-1] == "weather {'city': 'Rome'}"
    assert result == "20 degrees and sunny in Rome"
    assert "20" in answer


@pytest.mark.local
def test_steps_are_put_together() -> None:
    assert run("steps.py").endswith("(6 letters)\n")


@pytest.mark.local
def test_retrieval_answers_from_the_documents() -> None:
    found, answer = run("retrieval.py").splitlines()
    assert found == (
        "[[Document(page_content='harrison worked at kensho'), "
        "Document(page_content='harrison likes spicy food')]]"
    )
    assert answer.count("|") > 5
    assert "kensho" in answer.replace("|", "").lower()


@pytest.mark.local
def test_events_inside_a_tool_are_told_once_whether_it_passes_callbacks_or_not() -> None:
    told: list[list[str]] = []
    for line in run("events_inside.py").splitlines():
        if line.startswith(("on_tool_start", "on_chain_start")):
            told.append([])
        told[-1].append(line)
    by_itself, by_hand, travel, travel_back = told
    assert by_itself == [line.replace("mouth_by_hand", "mouth") for line in by_hand]
    for lines in told:
        inside = [line.split()[0] for line in lines if line.startswith(" ")]
        assert inside == ["on_llm_start", "on_llm_stream", "on_llm_stream", "on_llm_end"]
    assert travel[-2].startswith("on_chain_stream travel")
    assert travel_back[-1].startswith("on_chain_end travel_back")


@pytest.mark.local
def test_events_are_live_before_a_step_that_waits() -> None:
    streamed, *events = run("events_waiting.py").splitlines()
    assert streamed.startswith("stream: ")
    who = [line.split(":")[0] for line in events]
    assert who.count("sentence") == 1
    assert who[-1] == "sentence"
    assert who.count("ChatLocal") > 10
    # The first values come while the model still writes.
    assert who.index("JsonOutputParser") < who.index("ChatLocal", 2)


@pytest.mark.local
def test_handlers_print_and_count() -> None:
    first, cut, *asked = run("callbacks.py").splitlines()
    assert len(first.split()) > 5
    assert cut == "> length"
    assert asked[0] == "> ChatLocal is asked: Name a river."
    assert [line for line in asked if line.endswith("so far")][-1] == "> 32 tokens so far"


@pytest.fixture
def _wires(local_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys and addresses that the SDKs look for: as a person with accounts has them."""
    for name, path in (("OPENAI", "/v1"), ("ANTHROPIC", "")):
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
        monkeypatch.setenv(f"{name}_BASE_URL", local_server.url + path)


def on_wires(test: Any) -> Any:
    return pytest.mark.local(pytest.mark.usefixtures("_wires")(test))


@on_wires
def test_openai_streams_chats_and_texts_and_counts() -> None:
    *first, told, long, deep, text, spain, italy, usage = [
        line for line in run("openai_streaming.py").splitlines() if line.strip("|")
    ]
    assert "River" in " ".join(first)
    assert re.fullmatch(r"> \d+ tokens, ended by length", told)
    assert (long[:8], deep[:8]) == ("> long: ", "> deep: ")
    assert text.startswith(" Paris|")
    assert ("Madrid" in spain, "Rome" in italy) == (True, True)
    counted = ast.literal_eval(usage)
    assert counted["completion_tokens"] == 8
    assert "estimated" not in counted


@on_wires
def test_anthropic_streams_and_tells() -> None:
    sync, in_loop, *events, said, usage, done, final = run("anthropic_streaming.py").splitlines()
    assert sync == in_loop
    assert sync.count("|") > 3
    names = [line.split()[1] for line in events]
    assert names == ["on_chat_model_start", *["on_chat_model_stream"] * 3, "and"]
    assert re.fullmatch(r"> \d+ tokens read, \d+ written", usage)
    assert done == "> done"
    assert final in (f"> {said!r} ended by length", f"> {said!r} ended by stop")


@on_wires
def test_handlers_of_three_kinds_of_models_print() -> None:
    printed = run("provider_callbacks.py")
    told = re.findall(r"^> (\d+) (characters|tokens)$", printed, re.MULTILINE)
    assert [unit for _, unit in told] == ["characters", "tokens", "characters"]
    usage = ast.literal_eval(re.findall(r"^> (\{.*\})$", printed, re.MULTILINE)[0])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert "estimated" not in usage
    # What the handlers printed is what was answered.
    first, rest = printed.split(f"\n> {told[0][0]} characters\n")
    assert len(first) == int(told[0][0])
    assert len(rest.split("tokens\n")[-1].split("\n> ")[0]) == int(told[2][0])


@on_wires
def test_calls_grow_on_both_wires() -> None:
    openai, anthropic = re.split(r"^ChatAnthropic$", run("streamed_tool_calls.py"), flags=re.MULTILINE)
    assert openai.startswith("ChatOpenAI\n")
    for printed in (openai, anthropic):
        *grown, called = printed.strip().splitlines()
        assert "{'city': ''}" in " ".join(grown)
        assert called == "  weather({'city': 'Rome'}) -> 20 degrees in Rome"


@on_wires
@pytest.mark.parametrize("model", ["local", "openai:gpt-4o-mini"])
def test_an_agent_calls_and_answers(model: str) -> None:
    printed = run("agent.py", model)
    assert re.match(r'weather: \{\s*"city"', printed)
    assert "> it is called with {'city': 'Rome'}\n> it answers '20 degrees and sunny in Rome'\n" in printed
    *_, answer, told, tokens = printed.splitlines()
    assert answer
    assert told == "> human ai tool ai"
    assert re.fullmatch(r"> \d+ tokens", tokens)


@on_wires
def test_one_line_changes_the_provider() -> None:
    answers = dict(line.split(": ", 1) for line in run("one_line_changed.py").splitlines() if ": " in line)
    assert list(answers) == ["local", "openai:gpt-4o-mini", "anthropic:claude-haiku-4-5"]
    assert all("bend" in answer for answer in answers.values())


@on_wires
def test_an_own_http_client_is_used() -> None:
    printed = run("own_http_client.py").splitlines()
    # The server closes what it had promised to keep, so there may be more.
    assert printed.count("> POST /v1/chat/completions") >= 4
    answers = [line for line in printed if not line.startswith(">")]
    assert len(answers) == 4
    assert answers[-1].count("|") > 3


def test_every_example_says_what_it_is() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path.name
