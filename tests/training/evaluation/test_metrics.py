"""The metrics: by hand, against scikit-learn, and as properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score
from torch import Tensor

from cove.vocabulary import PAD
from training.evaluation.metrics import (
    hit_at,
    list_metrics,
    mean_metrics,
    metrics_by_list,
    ndcg_at,
    ndcg_at_full_ideal,
)

NUM_ITEMS = 30
items = st.integers(1, NUM_ITEMS)
rankings = st.lists(items, min_size=1, max_size=15, unique=True)
target_lists = st.lists(items, max_size=12)
cutoffs = st.integers(1, 12)


def row(values: list[int], width: int = 0) -> Tensor:
    return torch.tensor([values + [PAD] * (width - len(values))], dtype=torch.int64)


def test_ndcg_cuts_the_ideal_at_k() -> None:
    # Hits at ranks 2 and 5, four targets, k = 5: ideal over ranks 1 to 4.
    gain = 1 / math.log2(3) + 1 / math.log2(6)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    value = ndcg_at(row([9, 5, 8, 10, 6]), row([5, 6, 7, 11]), 5)
    assert value.item() == pytest.approx(gain / ideal)
    assert value.item() == pytest.approx(0.397322, abs=1e-6)


def test_the_ideals_of_25_targets_at_5_are_2_95_and_8_1() -> None:
    ranked, targets = row([1]), row(list(range(1, 26)))
    assert 1 / ndcg_at(ranked, targets, 5).item() == pytest.approx(2.9485, abs=1e-4)
    assert 1 / ndcg_at_full_ideal(ranked, targets, 5).item() == pytest.approx(8.1, abs=0.05)


def test_the_full_ideal_skips_lists_with_fewer_than_k_distinct_targets() -> None:
    ranked = torch.tensor([[4, 5], [4, 5], [4, 5]])
    targets = torch.tensor([[4, 6, 7], [4, 4, PAD], [4, 5, PAD]])
    values = ndcg_at_full_ideal(ranked, targets, 2)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert values[0].item() == pytest.approx(1 / ideal)
    assert values[1].isnan()
    assert values[2].item() == pytest.approx(1)


def test_a_repeated_target_counts_once() -> None:
    ranked = row([5, 6, 7])
    assert ndcg_at(ranked, row([5, 5, 5]), 3).item() == pytest.approx(1)
    assert ndcg_at(ranked, row([6, 5, 6, 5]), 3).item() == pytest.approx(1)


def test_padding_is_never_a_hit() -> None:
    ranked, targets = row([PAD, PAD]), row([5, PAD, PAD])
    assert hit_at(ranked, targets, 2).item() == 0
    assert ndcg_at(ranked, targets, 2).item() == 0


def test_a_hit_beyond_k_does_not_count() -> None:
    ranked, targets = row([5, 6, 7]), row([7])
    assert hit_at(ranked, targets, 2).item() == 0
    assert hit_at(ranked, targets, 3).item() == 1


def test_a_list_without_targets_gives_zero() -> None:
    targets = torch.zeros(1, 0, dtype=torch.int64)
    assert ndcg_at(row([5]), targets, 1).item() == 0
    assert hit_at(row([5]), targets, 1).item() == 0
    assert ndcg_at_full_ideal(row([5]), targets, 1).isnan().all()


def test_averages_are_over_lists_and_the_full_ideal_over_its_own_lists() -> None:
    ranked = torch.tensor([[4, 5], [6, 7]])
    targets = torch.tensor([[4, PAD, PAD], [8, 7, 9]])
    metrics = list_metrics(ranked, targets, ks=(1, 2, 4))
    assert list(metrics) == [
        "ndcg_at_1", "ndcg_at_full_ideal_1", "hit_at_1",
        "ndcg_at_2", "ndcg_at_full_ideal_2", "hit_at_2",
        "ndcg_at_4", "hit_at_4",
    ]  # fmt: skip
    assert metrics["hit_at_1"] == 0.5
    assert metrics["hit_at_2"] == 1.0
    second = 1 / math.log2(3)
    assert metrics["ndcg_at_2"] == pytest.approx((1 + second / (1 + second)) / 2)
    assert metrics["ndcg_at_full_ideal_2"] == pytest.approx(second / (1 + second + 0.5))


def test_the_metrics_by_list_are_those_that_are_averaged() -> None:
    ranked = torch.tensor([[4, 5], [6, 7]])
    targets = torch.tensor([[4, PAD, PAD], [8, 7, 9]])
    by_list = metrics_by_list(ranked, targets, ks=(2, 4))
    second = 1 / math.log2(3)
    assert by_list["ndcg_at_2"].tolist() == pytest.approx([1.0, second / (1 + second)])
    assert by_list["ndcg_at_full_ideal_2"].isnan().tolist() == [True, False]
    assert by_list["ndcg_at_full_ideal_4"].isnan().all()
    assert by_list["hit_at_2"].tolist() == [1.0, 1.0]
    assert mean_metrics(by_list) == list_metrics(ranked, targets, ks=(2, 4))


def test_bad_cutoffs_and_no_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1: got 0"):
        ndcg_at(row([1]), row([1]), 0)
    with pytest.raises(ValueError, match="at least one list"):
        list_metrics(torch.zeros(0, 5, dtype=torch.int64), torch.zeros(0, 2, dtype=torch.int64))


@pytest.mark.parametrize("k", [1, 5, 10, 20])
def test_ndcg_agrees_with_scikit_learn(k: int) -> None:
    random = np.random.default_rng(7)
    lists, num_items = 200, 40
    scores = random.permuted(np.tile(np.arange(num_items), (lists, 1)), axis=1).astype(float)
    relevant = random.random((lists, num_items)) < random.uniform(0.03, 0.7, (lists, 1))
    relevant[np.arange(lists), random.integers(num_items, size=lists)] = True
    ranked = torch.from_numpy(np.argsort(-scores, axis=1)[:, :k] + 1)
    targets = torch.zeros(lists, num_items, dtype=torch.int64)
    for number, held in enumerate(relevant):
        positions = random.permutation(np.flatnonzero(held)) + 1
        targets[number, : len(positions)] = torch.from_numpy(positions)
    ours = ndcg_at(ranked, targets, k)
    for number in range(lists):
        theirs = ndcg_score(relevant[number : number + 1], scores[number : number + 1], k=k)
        assert ours[number].item() == pytest.approx(theirs, abs=1e-9)


@given(rankings, target_lists, cutoffs)
def test_metrics_lie_in_the_unit_interval_and_agree_on_what_a_hit_is(
    ranking: list[int], targets: list[int], k: int
) -> None:
    ranked, wanted = row(ranking), row(targets)
    standard = ndcg_at(ranked, wanted, k).item()
    full = ndcg_at_full_ideal(ranked, wanted, k).item()
    hit = hit_at(ranked, wanted, k).item()
    assert 0 <= standard <= 1 + 1e-12
    assert hit == float(bool(set(ranking[:k]) & set(targets))) == float(standard > 0)
    assert math.isnan(full) == (len(set(targets)) < k)
    assert math.isnan(full) or full <= standard + 1e-12


@given(rankings, target_lists, cutoffs, st.randoms())
def test_order_repeats_and_padding_of_targets_change_nothing(
    ranking: list[int], targets: list[int], k: int, random: object
) -> None:
    changed = targets + targets[:2]
    random.shuffle(changed)  # type: ignore[attr-defined]
    for metric in (ndcg_at, ndcg_at_full_ideal, hit_at):
        first = metric(row(ranking), row(targets), k)
        again = metric(row(ranking), row(changed, width=20), k)
        torch.testing.assert_close(first, again, equal_nan=True)


@given(st.lists(items, min_size=1, max_size=12, unique=True), cutoffs)
def test_targets_ranked_first_are_perfect(targets: list[int], k: int) -> None:
    others = [item for item in range(1, NUM_ITEMS + 1) if item not in targets]
    assert ndcg_at(row(targets[::-1] + others), row(targets), k).item() == pytest.approx(1)


@given(st.lists(items, min_size=1, max_size=15), target_lists, cutoffs)
def test_a_repeat_in_the_ranking_gains_nothing(
    ranking: list[int], targets: list[int], k: int
) -> None:
    assert ndcg_at(row(ranking), row(targets), k).item() <= 1 + 1e-12
