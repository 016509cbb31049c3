"""The order of things, with bounds ten times looser than the budgets: `make bench` measures those."""

import json
from typing import Any

import pytest

pytest.importorskip("langchain_core")

from benchmarks import counting, gathering, json_values, memory, per_token
from benchmarks.measure import each
from benchmarks.rows import Limit, Row, microseconds
from benchmarks.table import data, markdown, printed
from millstream import JsonOutputParser


def test_a_token_costs_less_than_the_peers_and_not_much_more_than_none() -> None:
    samples = per_token.plain_sync_samples()
    best = {name: min(sample() for _ in range(3)) for name, sample in samples.items()}
    assert best["peer"] > 2 * best["ours"]
    assert best["ours"] < 60 * best["floor"]


def test_gathering_is_linear() -> None:
    few = min(each(gathering.gather_ours(300), 3, 300)() for _ in range(3))
    many = min(each(gathering.gather_ours(3000), 1, 3000)() for _ in range(3))
    assert many < 10 * few


@pytest.mark.parametrize("options", [{"events": True}, {}, {"diff": True}])
def test_a_piece_of_json_costs_the_same_in_a_long_answer(options: dict[str, Any]) -> None:
    parser = JsonOutputParser(**options)
    best = {
        size: min(json_values.sample(parser, json_values.tree_of_records(size))() for _ in range(3))
        for size in (2_000, 60_000)
    }
    assert best[60_000] < 10 * best[2_000]


def test_a_piece_of_json_costs_less_than_the_peers() -> None:
    # The peer's grows with the text: at 20 KB, which the benchmark takes, it is ten times as much.
    text = json_values.flat_records(2_000)
    ours = min(json_values.sample(JsonOutputParser(), text)() for _ in range(3))
    assert json_values.sample(json_values.PeerParser(), text)() > 4 * ours


def test_answers_are_as_wide_and_as_long_as_they_say() -> None:
    def widest(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return max([len(inner), *map(widest, inner)])

    for size in (5_000, 100_000):
        tree, flat = json_values.tree_of_records(size), json_values.flat_records(size)
        assert size <= len(tree) < 1.1 * size
        assert size <= len(flat) < 1.1 * size
        assert widest(json.loads(tree)) <= json_values.WIDTH
    assert widest(json.loads(flat)) > 5 * json_values.WIDTH


@pytest.mark.parametrize("costs", [counting.costs_sync, counting.costs_async])
def test_with_nobody_watching_a_token_makes_nothing_extra(costs: object) -> None:
    found = costs()  # type: ignore[operator]
    assert found["chain"].beyond(found["bare"]) == 0
    assert found["watched"].beyond(found["bare"]) > 0


def test_a_stream_keeps_nothing() -> None:
    assert memory.growth(memory.read_sync, 1000, 5000) < 1


def test_a_row_is_met_when_all_its_limits_are() -> None:
    met, missed = Limit(21, 20, "x below", at_least=True), Limit(7, 6, "x the floor")
    row = Row("token", microseconds, 1e-6, 21e-6, None, [met, missed])
    assert (met.met, missed.met, row.met) == (True, False, False)
    assert "21x below, 7x the floor  ≥ 20, ≤ 6  NO" in printed([row])
    assert "| token | 1 µs | 21 µs | - |" in markdown(
        [row], {"date": "today"}, rounds=5, turns=5, tokens=1000, piece=4, imports=7, words=2, burst=3
    )
    assert data([row], {})["rows"][0]["limits"][1]["met"] is False
