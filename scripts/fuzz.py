"""Tries random input of each kind that the library reads, and writes what came of it. Run by `make fuzz`.

A section makes cases from a random generator and checks one; what it checks are the properties that the
tests ask for too. Each case has a generator of its own, made of the seed and the case's number, so a run with
the same seed tries the same cases. Of one that fails, the smallest that still does is looked for. One that
does not end is told with where each thread stands, and ends the script.

Writes benchmarks/FUZZ.md and benchmarks/fuzz.json, and exits with 1 if a case failed.
"""

import argparse
import faulthandler
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import facts  # noqa: E402
from tests.events import chains, typed  # noqa: E402
from tests.providers import wire_cases  # noqa: E402
from tests.wire import properties, sse_cases  # noqa: E402
from tests.wire.sse_cases import smaller_cases  # noqa: E402

# How many tries the search for a smaller case may take and how many seconds, how many failures of a section
# are told, and after how many seconds a case is taken for one that never ends.
TRIES = 3000
SEARCH_SECONDS = 30
SHOWN = 10
HANGS_SECONDS = 60


class Section(NamedTuple):
    """One kind of input: how a case is made, what has to hold for it, and which cases are a step simpler.

    A case is any value that its `repr` tells.
    """

    name: str
    make: Callable[[Random], Any]
    check: Callable[[Any], None]
    smaller: Callable[[Any], Iterator[Any]]


class Failure(NamedTuple):
    """A case that failed, made as small as it went."""

    number: int
    case: Any
    said: str


# --- JSON --------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A text, and the places where it is cut."""

    text: str
    places: tuple[int, ...]


_TELLING = "\"\\/'`{}[],: \n\r\t\b\0\x1fé日\u2028\ufeff😀\ud83d\ude00#*-1eutfnN"
_MARKS = "{}[]\",:\\'`tfnu/*#-+.eE019aNIT \n\ud83d"
_AROUND = [
    "```json\n%s\n```",
    "Sure: %s!",
    "None of [x]: %s",
    "%s ```",
    "'%s",
    "```\n%s```\n{}",
    "5 %s",
    '"a" %s',
]
_LAYOUTS: list[dict[str, Any]] = [
    {},
    {"ensure_ascii": False},
    {"separators": (",", ":")},
    {"indent": 1, "separators": (" , ", " : ")},
]


def _value(random: Random, depth: int) -> Any:
    kind = random.choice("ntsifFldLD" if depth else "ntsifF")
    if kind in "lL":
        return [_value(random, depth - 1) for _ in range(random.randrange(5))]
    if kind in "dD":
        return {_text(random): _value(random, depth - 1) for _ in range(random.randrange(5))}
    if kind == "n":
        return random.choice([None, True, False])
    if kind == "i":
        return random.randrange(-(10 ** random.randrange(1, 30)), 10 ** random.randrange(1, 30))
    if kind in "fF":
        return random.choice(
            [random.random(), random.gauss(0, 10 ** random.randrange(-20, 20)), -0.0, 1e-7, 2.5]
        )
    return _text(random)


def _text(random: Random) -> str:
    return "".join(
        random.choice(_TELLING) if random.random() < 0.7 else chr(random.randrange(0x110000))
        for _ in range(random.choice([0, 1, 2, 5, 12]))
    )


def _repeated_keys(random: Random, text: str) -> str:
    keys = [f'"{random.choice("ab")}": ' for _ in range(4)]
    return "{" + ", ".join(key + random.choice([text, "{}", '["a"]', '"ab"', "1"]) for key in keys) + "}"


def _broken(random: Random, text: str) -> str:
    chars = list(text)
    for _ in range(random.choice([1, 1, 2, 4])):
        at = random.randrange(len(chars) + 1)
        chars[at : at + random.randrange(3)] = random.choices(_MARKS, k=random.randrange(3))
    return "".join(chars)


def json_case(random: Random) -> Case:
    """A document, whole, with keys that repeat, in prose, or broken in a few places."""
    text = json.dumps(_value(random, random.randrange(5)), **random.choice(_LAYOUTS))
    if random.random() < 0.15:
        text = _repeated_keys(random, text)
    if random.random() < 0.2:
        text = random.choice(_AROUND).replace("%s", text)
    if random.random() < 0.5:
        text = _broken(random, text)
    return Case(text, tuple(random.randrange(len(text) + 1) for _ in range(random.choice([1, 2, 5, 20]))))


def json_check(case: Case) -> None:
    """What holds for any text of JSON, or of none, in any pieces."""
    text, pieces = case.text, properties.cut(case.text, case.places)
    repeated = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        repeated.extend(pairs[len(made) :])
        return made

    try:
        json.loads(text, strict=False, parse_constant=_refuse, object_pairs_hook=unique)
    except ValueError:
        pass
    else:
        properties.check_valid(text, pieces, unique_keys=not repeated)
        properties.check_valid(text, list(text), unique_keys=not repeated, prose=False, repair=True)
    properties.check_strict(text)
    for prose in (True, False):
        for repair in (True, False):
            properties.check_any(text, pieces, prose=prose, repair=repair)
    properties.check_any(text, pieces, max_depth=2, max_digits=4, max_length=20)


def _refuse(word: str) -> Any:
    raise ValueError(word)


SECTIONS = [
    Section("json", json_case, json_check, smaller_cases),
    Section("sse", sse_cases.make_case, sse_cases.check_case, smaller_cases),
    Section("openai", wire_cases.make_openai, wire_cases.check_openai, smaller_cases),
    Section("anthropic", wire_cases.make_anthropic, wire_cases.check_anthropic, smaller_cases),
    Section("events", chains.make_case, chains.check_case, chains.smaller_cases),
    Section("runs", typed.make_run, typed.check_run, chains.smaller_cases),
]


# --- running -----------------------------------------------------------------------------------------------


def fault_of(section: Section, case: Any) -> str | None:
    """What the check had to say; None if nothing."""
    try:
        section.check(case)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).splitlines()[0] if str(error) else (where.line or "")
        return f"{type(error).__name__} in {Path(where.filename).name}, {where.name}: {said}"
    return None


def smallest(section: Section, case: Any, said: str) -> tuple[Any, str]:
    """The smallest case that still fails, as far as leaving things out leads, and how it fails."""
    tries = 0
    ends = time.monotonic() + SEARCH_SECONDS
    while True:
        for other in section.smaller(case):
            tries += 1
            if tries > TRIES or time.monotonic() > ends:
                return case, said
            fault = fault_of(section, other)
            if fault is not None:
                case, said = other, fault
                break
        else:
            return case, said


@contextmanager
def ending(section: Section, number: int, case: Any) -> Iterator[None]:
    """Give up, and tell the case, if the block does not end."""

    def give_up(*_: object) -> None:
        print(f"{section.name}: case {number} does not end: {case!a}", file=sys.stderr)
        faulthandler.dump_traceback()
        os._exit(2)

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, HANGS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(section: Section, n: int, seed: int) -> list[Failure]:
    """Try `n` cases; the failures."""
    # Checks for leaks walk the heap: what is there before is none of theirs.
    gc.freeze()
    failures = []
    for number in range(n):
        case = section.make(Random(f"{seed}/{section.name}/{number}"))
        with ending(section, number, case):
            said = fault_of(section, case)
        if said is not None:
            if len(failures) < SHOWN:
                case, said = smallest(section, case, said)
            failures.append(Failure(number, case, said))
    return failures


def page(results: dict[str, Any]) -> str:
    """The results for people."""
    told = results["facts"]
    lines = [
        "# Fuzzing",
        "",
        f"{told['date']}, {told['machine']}, {told['Python']}, millstream {told['millstream']}, "
        f"seed {results['seed']}.",
        "",
        "| section | cases | failures | seconds |",
        "|---|---:|---:|---:|",
    ]
    for section in results["sections"]:
        count = len(section["failures"])
        lines.append(f"| {section['name']} | {section['n']} | {count} | {section['seconds']:.1f} |")
    for section in results["sections"]:
        if section["failures"]:
            lines += ["", f"## Failures of {section['name']}", ""]
        for failure in section["failures"][:SHOWN]:
            lines.append(f"- case {failure['number']}: {failure['said']}")
            lines.append(f"  `{failure['case']}`")
    lines += ["", "Written by `scripts/fuzz.py` (`make fuzz N=10000`): do not edit.", ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all sections, write the results, and say whether something failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=10_000, help="cases of each section")
    parser.add_argument(
        "--seed", type=int, default=None, help="tries the same cases again; random by default"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="the folder to write to")
    parser.add_argument("--section", choices=[section.name for section in SECTIONS], help="only this one")
    options = parser.parse_args(arguments)
    seed = SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}")
    results: dict[str, Any] = {"seed": seed, "facts": facts(), "sections": []}
    for section in SECTIONS:
        if options.section not in (None, section.name):
            continue
        began = time.perf_counter()
        failures = run(section, options.n, seed)
        found = [
            # As Python writes them: half characters cannot be encoded.
            {"number": each.number, "case": ascii(each.case), "said": ascii(each.said)}
            for each in failures
        ]
        took = time.perf_counter() - began
        results["sections"].append({"name": section.name, "n": options.n, "seconds": took, "failures": found})
        print(f"{section.name}: {options.n} cases, {len(failures)} failures, {took:.1f} s")
        for failure in found[:SHOWN]:
            print(f"  {failure['said']}\n    {failure['case']}")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "FUZZ.md").write_text(page(results), encoding="utf-8")
    (options.out / "fuzz.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if any(section["failures"] for section in results["sections"]) else 0


if __name__ == "__main__":
    sys.exit(main())
