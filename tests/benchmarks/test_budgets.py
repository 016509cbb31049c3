"""The order of things, with bounds ten times looser than the budgets: `make bench` measures those."""

import pytest

pytest.importorskip("langchain_core")

from benchmarks import counting, gathering, memory, per_token
from benchmarks.measure import each
from benchmarks.rows import Limit, Row, microseconds
from benchmarks.table import data, markdown, printed


def test_a_token_costs_less_than_the_peers_and_not_much_more_than_none() -> None:
    samples = per_token.plain_sync_samples()
    best = {name: min(sample() for _ in range(3)) for name, sample in samples.items()}
    assert best["peer"] > 2 * best["ours"]
    assert best["ours"] < 60 * best["floor"]


def test_gathering_is_linear() -> None:
    few = min(each(gathering.gather_ours(300), 3, 300)() for _ in range(3))
    many = min(each(gathering.gather_ours(3000), 1, 3000)() for _ in range(3))
    assert many < 10 * few


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
        [row], {"date": "today"}, rounds=5, turns=5, tokens=1000, imports=7
    )
    assert data([row], {})["rows"][0]["limits"][1]["met"] is False
