"""Small counts of people: hidden, and not to be worked out from what is shown beside them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import privacy
from core.privacy import HIDDEN, SMALL


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, SMALL), (10, SMALL), (11, 11), (4000, 4000)])
def test_a_count_of_one_to_ten_is_hidden(count, shown):
    assert privacy.shown_count(count) == shown


@pytest.mark.parametrize(
    ("count", "of", "hidden"),
    [(0, 100, False), (3, 100, True), (97, 100, True), (50, 100, False), (0, 8, True), (0, 0, True)],
)
def test_a_share_that_tells_a_small_count_is_hidden(count, of, hidden):
    assert (privacy.shown_share(count, of) is None) is hidden


def solutions(shown: tuple[int | str, ...], total: int, cell: int) -> set[int]:
    """Every value that a hidden cell may have, by trying all: the attacker's view."""
    unknown = [index for index, value in enumerate(shown) if isinstance(value, str)]
    least = 0 if set(shown) == {HIDDEN} else 11
    left = total - sum(value for value in shown if isinstance(value, int))
    ranges = [range(1, 11) if shown[index] == SMALL else range(least, left + 1) for index in unknown[1:]]
    found = set()
    for guess in product(*ranges):
        first = left - sum(guess)
        fits = 1 <= first <= 10 if shown[unknown[0]] == SMALL else first >= least
        if fits:
            found.add(dict(zip(unknown, (first, *guess), strict=True))[cell])
    return found


@given(st.lists(st.integers(0, 45), min_size=2, max_size=4))
@example([1, 11])
@example([1, 1, 40])
@example([10, 10])
@example([5, 200])
def test_no_small_cell_can_be_solved_for_from_the_total(counts):
    shown = privacy.shown_cells(counts)
    assert all(value in (count, SMALL, HIDDEN) for value, count in zip(shown, counts, strict=True))
    for index, count in enumerate(counts):
        if privacy.is_small(count):
            assert isinstance(shown[index], str)
            assert len(solutions(shown, sum(counts), index)) > 1


def test_large_cells_are_shown_unless_they_tell_a_small_one():
    assert privacy.shown_cells([40, 50, 0]) == (40, 50, 0)
    assert privacy.shown_cells([40, 5, 60]) == (HIDDEN, SMALL, 60)
    assert privacy.shown_cells([4, 5, 60]) == (SMALL, SMALL, 60)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
@example([20, 0, 3])
@example([0, 0, 3, 20])
@example([3, 4])
def test_joined_cells_hold_nobody_or_enough_and_lose_no_one(counts):
    cells = privacy.joined_cells(counts)
    assert [place for cell in cells for place in range(len(counts))[cell]] == list(range(len(counts)))
    sums = [sum(counts[cell]) for cell in cells]
    assert not any(map(privacy.is_small, sums)) or (len(sums) == 1 and sum(counts) < 11)


def test_cells_are_joined_no_further_than_it_takes():
    assert privacy.joined_cells([20, 0, 30, 11]) == (slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 4))
    assert privacy.joined_cells([20, 3, 9, 0]) == (slice(0, 1), slice(1, 3), slice(3, 4))


def test_metrics_of_small_groups_are_hidden_by_their_names():
    shown = privacy.shown_metrics(
        {
            "auroc": 0.9, "n_female": 7, "sensitivity_female": 0.5, "n_male": 700, "sensitivity_male": 0.8,
            "site_a.support": 0, "site_a.auroc": 0.7, "test/tp": 40, "test/fn": 3, "test/auroc": 0.9, "log_loss": 0.3,
        }
    )  # fmt: skip
    assert shown["n_female"] == SMALL and shown["sensitivity_female"] == HIDDEN
    assert shown["test/tp"] == shown["test/fn"] == HIDDEN
    untouched = (
        "auroc",
        "n_male",
        "sensitivity_male",
        "site_a.support",
        "site_a.auroc",
        "test/auroc",
        "log_loss",
    )
    assert all(isinstance(shown[name], int | float) for name in untouched)


def test_columns_that_tell_who_a_person_is():
    names = ["patient_id", "MRN", "date_of_birth", "email", "age", "site_id", "drug_name", "row_id", "zip"]
    assert privacy.identifier_columns(names) == ("patient_id", "MRN", "date_of_birth", "email", "zip")
