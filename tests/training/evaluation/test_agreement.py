"""Agreement of codes with categories: worked by hand, and against scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from training.evaluation.agreement import contingency, normalized_mutual_information, purity


def test_an_item_counts_in_each_of_its_categories_by_an_equal_share() -> None:
    table = contingency(torch.tensor([0, 2, 0]), [["b"], ["a", "b"], []])
    assert table.tolist() == [[0.0, 1.0], [0.0, 0.0], [0.5, 0.5]]


def test_mutual_information_and_purity_worked_by_hand() -> None:
    # Codes 0, 0, 1, 1; categories a, a, a, b: H(code) = ln 2, H(category) = .5623,
    # H(both) = ½ ln 2 + 2 · ¼ ln 4 = 1.0397.
    table = contingency(torch.tensor([0, 0, 1, 1]), [["a"], ["a"], ["a"], ["b"]])
    category = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    both = 0.5 * math.log(2) + 0.5 * math.log(4)
    expected = 2 * (math.log(2) + category - both) / (math.log(2) + category)
    assert normalized_mutual_information(table) == pytest.approx(expected)
    assert purity(table) == pytest.approx(0.75)


def test_it_is_scikit_learns() -> None:
    torch.manual_seed(0)
    codes, truth = torch.randint(7, (200,)), torch.randint(5, (200,))
    table = contingency(codes, [[str(int(one))] for one in truth])
    assert normalized_mutual_information(table) == pytest.approx(
        normalized_mutual_info_score(truth.numpy(), codes.numpy())
    )


def test_equal_partitions_agree_wholly_and_a_single_code_not_at_all() -> None:
    names = [["a"], ["b"], ["a"], ["c"]]
    assert normalized_mutual_information(
        contingency(torch.tensor([2, 0, 2, 1]), names)
    ) == pytest.approx(1.0)
    assert normalized_mutual_information(contingency(torch.zeros(4).long(), names)) == 0.0
