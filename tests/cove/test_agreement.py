"""Agreement of codes with categories: worked by hand, and against scikit-learn."""

import math
from collections.abc import Sequence

import pytest
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from cove.agreement import (
    Contingency,
    adjusted_rand_index,
    contingency,
    covered,
    memberships,
    normalized_mutual_information,
    purity,
)


def table_of(codes: Sequence[int], categories: Sequence[Sequence[str]]) -> Contingency:
    return contingency(torch.tensor(codes), max(codes) + 1, memberships(categories))


def test_an_entity_counts_in_each_of_its_categories_by_an_equal_share() -> None:
    table = table_of([0, 2, 0], [["b"], ["a", "b", "a"], []])
    cells = zip(table.codes.tolist(), table.categories.tolist(), strict=True)
    assert dict(zip(cells, table.shares.tolist(), strict=True)) == {
        (0, 1): 1.0, (2, 0): 0.5, (2, 1): 0.5,
    }  # fmt: skip
    assert table.sizes.tolist() == [1, 0, 1]


def test_mutual_information_and_purity_worked_by_hand() -> None:
    # Codes 0, 0, 1, 1; categories a, a, a, b: H(code) = ln 2, H(category) = .5623,
    # H(both) = ½ ln 2 + 2 · ¼ ln 4 = 1.0397.
    table = table_of([0, 0, 1, 1], [["a"], ["a"], ["a"], ["b"]])
    category = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    both = 0.5 * math.log(2) + 0.5 * math.log(4)
    expected = 2 * (math.log(2) + category - both) / (math.log(2) + category)
    assert normalized_mutual_information(table) == pytest.approx(expected)
    assert purity(table) == pytest.approx(0.75)


def test_the_adjusted_rand_index_worked_by_hand() -> None:
    # Pairs together: 2 in codes, 3 in categories, 1 in both; of 6 by chance 2 · 3 / 6 = 1.
    assert adjusted_rand_index(
        table_of([0, 0, 1, 1], [["a"], ["a"], ["a"], ["b"]])
    ) == pytest.approx(0.0)
    # The second item is a or b: of 3 pairs, expected together 1 in codes, ½ + ½ in categories,
    # ½ in both; (½ − ⅓) / (1 − ⅓).
    assert adjusted_rand_index(table_of([0, 0, 1], [["a"], ["a", "b"], ["b"]])) == pytest.approx(
        (1 / 2 - 1 / 3) / (1 - 1 / 3)
    )


def test_they_are_scikit_learns() -> None:
    torch.manual_seed(0)
    codes, truth = torch.randint(7, (200,)), torch.randint(5, (200,))
    codes[:60] = truth[:60]
    table = table_of(codes.tolist(), [[str(int(one))] for one in truth])
    for ours, theirs in (
        (normalized_mutual_information, normalized_mutual_info_score),
        (adjusted_rand_index, adjusted_rand_score),
    ):
        assert ours(table) == pytest.approx(theirs(truth.numpy(), codes.numpy()))


def test_equal_partitions_agree_wholly_and_a_single_code_not_at_all() -> None:
    names = [["a"], ["b"], ["a"], ["c"]]
    alike, single = table_of([2, 0, 2, 1], names), table_of([0, 0, 0, 0], names)
    for measure in (normalized_mutual_information, adjusted_rand_index):
        assert measure(alike) == pytest.approx(1.0)
        assert measure(single) == 0.0


@pytest.mark.parametrize("categories", [[[], []], [["a"], []], [["a"], ["a"]]])
def test_measures_of_next_to_nothing_are_numbers(categories: list[list[str]]) -> None:
    table = table_of([0, 1], categories)
    for measure in (normalized_mutual_information, adjusted_rand_index, purity):
        assert 0 <= measure(table) <= 1


def test_a_category_is_covered_by_its_codes_the_largest_first() -> None:
    # a: 3 in code 2, 1 in code 0; b: 2 in code 0, 2 in code 1. The last item is in both.
    categories = [["a"], ["a"], ["a"], ["a"], ["b"], ["b"], ["b"], ["b"]]
    codes = [2, 2, 2, 0, 0, 0, 1, 1]
    table = table_of(codes, categories)
    assert covered(table, 0).tolist() == [0.75, 1.0, 1.0]
    assert covered(table, 1).tolist() == [0.5, 1.0, 1.0]
    assert covered(table).tolist() == [5 / 8, 1.0, 1.0]
    both = table_of([*codes, 2], [*categories, ["a", "b"]])
    assert covered(both, 0).tolist() == [0.8, 1.0, 1.0], "it counts whole in each"
    assert covered(both, 1).tolist() == [0.4, 0.8, 1.0]
