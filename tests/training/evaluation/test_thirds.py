"""Metrics by thirds, worked by hand."""

import math

import pytest
import torch

from training.evaluation import thirds

NAN = float("nan")
POPULARITY = torch.tensor([1, 9, 2, 8, 3, 7])  # of indices 4 to 9


def test_values_are_cut_into_thirds_by_their_order() -> None:
    assert thirds.thirds(torch.tensor([9, 1, 5, 2, 6, 8])).tolist() == [2, 0, 1, 0, 1, 2]
    assert thirds.thirds(torch.tensor([4])).tolist() == [0]
    assert thirds.thirds(torch.tensor([], dtype=torch.int64)).tolist() == []


def test_equal_values_share_the_lower_third() -> None:
    assert thirds.thirds(torch.tensor([1, 1, 1, 2, 3, 4])).tolist() == [0, 0, 0, 1, 2, 2]
    assert thirds.thirds(torch.tensor([5, 5, 5])).tolist() == [0, 0, 0]


def test_a_users_ndcg_counts_in_the_third_of_the_item_that_is_wanted() -> None:
    ndcg = torch.tensor([0.1, 0.2, 0.3, 0.4])
    found = thirds.of_wanted_items(ndcg, torch.tensor([4, 5, 7, 0]), torch.tensor([1, 9, 2, 8, 5]))
    # 1, 2 | 5, 8 | 9: the bounds are 2 and 8.
    assert found["ndcg_at_10_of_rare_items"].tolist() == pytest.approx(
        [0.1, NAN, NAN, NAN], nan_ok=True
    )
    assert found["ndcg_at_10_of_middle_items"].tolist() == pytest.approx(
        [NAN, NAN, 0.3, NAN], nan_ok=True
    )
    assert found["ndcg_at_10_of_popular_items"].tolist() == pytest.approx(
        [NAN, 0.2, NAN, NAN], nan_ok=True
    )


def test_of_a_lists_targets_only_those_in_the_third_count() -> None:
    # Bounds 2 and 7: rare are 4 and 6, middle 8 and 9, popular 5 and 7.
    ranked = torch.tensor([[5, 4, 7], [5, 9, 6]])
    targets = torch.tensor([[4, 6, 5], [9, 30, 0]])  # 30: training does not know it
    found = thirds.of_wanted_sets(ranked, targets, POPULARITY)
    second = 1 / math.log2(3)
    assert found["ndcg_at_10_of_rare_items"].tolist() == pytest.approx(
        [second / (1 + second), NAN], nan_ok=True
    )
    assert found["ndcg_at_10_of_middle_items"].tolist() == pytest.approx([NAN, second], nan_ok=True)
    assert found["ndcg_at_10_of_popular_items"].tolist() == pytest.approx([1.0, NAN], nan_ok=True)


def test_lists_are_told_apart_by_how_much_is_given() -> None:
    found = thirds.of_lengths(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([7, 2, 4]), "lists")
    assert list(found) == [f"ndcg_at_10_of_{name}_lists" for name in ("short", "middle", "long")]
    assert found["ndcg_at_10_of_short_lists"].tolist() == pytest.approx(
        [NAN, 0.2, NAN], nan_ok=True
    )
