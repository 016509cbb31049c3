import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.vectorstores.vectors import diverse, highest, unit_rows


@given(st.lists(st.integers(-3, 3), max_size=30), st.integers(0, 35))
def test_the_highest_come_first_and_of_equal_ones_the_first(numbers, k) -> None:
    scores = np.array(numbers, dtype=np.float32)
    best = highest(scores, k) if k else []
    expected = sorted(range(len(numbers)), key=lambda place: (-numbers[place], place))[:k]
    assert list(best) == expected


def by_the_book(query, rows, k, weight):
    """Maximal marginal relevance, word by word."""
    near = [float(np.dot(query, row)) for row in rows]
    taken = [max(range(len(rows)), key=lambda place: near[place])]
    while len(taken) < min(k, len(rows)):
        left = [place for place in range(len(rows)) if place not in taken]

        def worth(place):
            like = max(float(np.dot(rows[place], rows[other])) for other in taken)
            return weight * near[place] - (1 - weight) * like

        taken.append(max(left, key=worth))
    return taken


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_diverse_takes_what_the_definition_says(weight) -> None:
    chance = np.random.default_rng(1)
    rows = unit_rows(chance.normal(size=(30, 8)), 30).astype(np.float64)
    query = unit_rows(chance.normal(size=(1, 8)), 1)[0].astype(np.float64)
    assert diverse(query, rows, 12, weight) == by_the_book(query, rows, 12, weight)
    assert sorted(diverse(query, rows, 99, weight)) == list(range(30))
    assert diverse(query, rows, 0, weight) == []
