"""The metrics of clicks: by hand, over all orders of ties, against scikit-learn, as properties."""

import math
from collections.abc import Iterator
from itertools import groupby, permutations, product

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.evaluation.click_metrics import (
    auc,
    calibration_error,
    log_loss,
    metrics_by_user,
    overall_metrics,
)
from training.evaluation.metrics import mean_metrics

Sample = tuple[int, int, int]
"""Score, label, user."""
samples = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 1), st.integers(-2, 2)), min_size=1, max_size=40
)
one_users = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=3, max_size=6)


def tensors(rows: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    scores, labels, users = zip(*rows, strict=True)
    return torch.tensor(scores).float(), torch.tensor(labels), torch.tensor(users)


def of_one_user(scores: list[float], labels: list[int]) -> dict[str, float]:
    users = torch.full((len(scores),), 7)
    by_user = metrics_by_user(torch.tensor(scores), torch.tensor(labels), users)
    return {name: values.item() for name, values in by_user.items()}


def logits(probabilities: list[float]) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).logit()


def test_metrics_of_an_untied_user_by_hand() -> None:
    # By falling score the labels are 0 1 0 0 1 1 0: positives at ranks 2, 5 and 6.
    metrics = of_one_user([0.1, 0.9, -2, 0.5, 0.8, -1, 0.7], [1, 0, 0, 0, 1, 1, 0])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    first_five = 1 / math.log2(3) + 1 / math.log2(6)
    assert list(metrics) == [
        "ndcg_at_1", "ndcg_at_5", "ndcg_at_10", "hit_at_5", "hit_at_10", "user_auc",
    ]  # fmt: skip
    assert metrics["ndcg_at_1"] == 0
    assert metrics["ndcg_at_5"] == pytest.approx(first_five / ideal)
    assert metrics["ndcg_at_5"] == pytest.approx(0.477624, abs=1e-6)
    assert metrics["ndcg_at_10"] == pytest.approx((first_five + 1 / math.log2(7)) / ideal)
    assert metrics["hit_at_5"] == metrics["hit_at_10"] == 1
    # Of four negatives the positives beat 3, 1 and 1.
    assert metrics["user_auc"] == pytest.approx(5 / 12)


def test_a_tied_group_gives_every_rank_its_share_of_positives() -> None:
    # One negative first, then four tied samples of which one is positive, at ranks 2 to 5.
    metrics = of_one_user([2, 1, 1, 1, 1], [0, 0, 0, 1, 0])
    discounts = 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5) + 1 / math.log2(6)
    assert metrics["ndcg_at_1"] == 0
    assert metrics["ndcg_at_5"] == pytest.approx(discounts / 4)
    # Of four negatives one is lost to and three are tied: 1.5 of 4.
    assert metrics["user_auc"] == 1.5 / 4


def test_all_scores_equal_is_the_expectation_of_chance() -> None:
    # Twelve tied samples, two positive: C(10, 5) / C(12, 5) = 252 / 792 miss the first 5,
    # and C(10, 10) / C(12, 10) = 1 / 66 the first 10.
    metrics = of_one_user([0.0] * 12, [1, 1] + [0] * 10)
    assert metrics["ndcg_at_1"] == pytest.approx(2 / 12)
    assert metrics["hit_at_5"] == pytest.approx(1 - 252 / 792)
    assert metrics["hit_at_10"] == pytest.approx(1 - 1 / 66)
    assert metrics["user_auc"] == 0.5


def test_a_hit_counts_only_the_part_of_a_tied_group_inside_the_cutoff() -> None:
    # Three negatives, then six tied with one positive: two of the six are in the first 5.
    metrics = of_one_user([5, 4, 3] + [1.0] * 6, [0, 0, 0, 1, 0, 0, 0, 0, 0])
    assert metrics["hit_at_5"] == pytest.approx(2 / 6)
    assert metrics["hit_at_10"] == 1
    beyond = of_one_user([9, 8, 7, 6, 5, 0, 0], [0, 0, 0, 0, 0, 1, 0])
    assert beyond["hit_at_5"] == beyond["ndcg_at_5"] == 0


def test_users_are_ascending_whatever_their_numbers_and_lack_what_they_cannot_have() -> None:
    # User -4 has both labels, user 3 no positive, user 9_000_000_000 no negative.
    users = torch.tensor([9_000_000_000, 3, -4, 3, -4])
    by_user = metrics_by_user(torch.tensor([1.0, 1, 2, 0, 1]), torch.tensor([1, 0, 0, 0, 1]), users)
    second = 1 / math.log2(3)
    nan = pytest.approx(math.nan, nan_ok=True)
    assert by_user["ndcg_at_5"].tolist() == [pytest.approx(second), nan, 1]
    assert by_user["hit_at_5"].tolist() == [1, nan, 1]
    assert by_user["user_auc"].tolist() == [0, nan, nan]
    assert all(values.dtype == torch.float64 for values in by_user.values())
    means = mean_metrics(by_user)
    assert means["ndcg_at_5"] == pytest.approx((1 + second) / 2)
    assert means["hit_at_5"] == 1
    assert means["user_auc"] == 0


def test_overall_auc_counts_a_tie_as_half() -> None:
    # Positives 2 and 1 against negatives 1 and 0: three wins and a tie of four pairs.
    assert auc(torch.tensor([2.0, 1, 1, 0]), torch.tensor([1, 1, 0, 0])) == 3.5 / 4
    assert math.isnan(auc(torch.tensor([2.0, 1]), torch.tensor([1, 1])))
    assert math.isnan(auc(torch.tensor([2.0, 1]), torch.tensor([0, 0])))


def test_log_loss_by_hand_and_at_extreme_logits() -> None:
    labels = torch.tensor([1, 0, 0])
    expected = -(math.log(0.8) + math.log(0.6) + math.log(0.1)) / 3
    assert log_loss(logits([0.8, 0.4, 0.9]), labels) == pytest.approx(expected)
    assert log_loss(torch.tensor([-1000.0, 1000]), torch.tensor([1, 0])) == pytest.approx(1000)
    assert log_loss(torch.tensor([30.0]), torch.tensor([1])) == pytest.approx(math.exp(-30))
    assert log_loss(torch.tensor([math.inf, -math.inf]), torch.tensor([1, 0])) == 0


def test_calibration_error_by_hand() -> None:
    # Two bins of two: 0.9 and 0.7 with one positive, 0.4 and 0.2 with none.
    scores, labels = logits([0.2, 0.9, 0.4, 0.7]), torch.tensor([0, 1, 0, 0])
    expected = 0.5 * abs(0.8 - 0.5) + 0.5 * abs(0.3 - 0)
    assert calibration_error(scores, labels, bins=2) == pytest.approx(expected)
    assert calibration_error(scores, labels, bins=1) == pytest.approx(abs(0.55 - 0.25))
    # A bin for each sample: the mean distance between probability and label.
    assert calibration_error(scores, labels, bins=4) == pytest.approx((0.1 + 0.7 + 0.4 + 0.2) / 4)


def test_tied_samples_share_the_bin_of_their_middle_rank() -> None:
    # Ranks 0; 1, 2, 3 tied; 4. Their middle is 2.5 of 5, the edge of two bins: the second one.
    scores, labels = logits([0.9, 0.5, 0.5, 0.5, 0.1]), torch.tensor([1, 1, 1, 1, 0])
    expected = (abs(0.9 - 1) + abs(1.6 - 3)) / 5
    assert calibration_error(scores, labels, bins=2) == pytest.approx(expected)
    constant = calibration_error(torch.zeros(8), torch.tensor([1, 1, 0, 0, 0, 0, 0, 0]))
    assert constant == pytest.approx(0.5 - 0.25)


def test_bins_of_untied_samples_differ_by_one_sample_at_most() -> None:
    # 100 samples in 15 bins: 6 or 7 in each.
    scores = torch.arange(100).flip(0).double()
    bins = (15 * (2 * torch.arange(100) + 1)) // 200
    assert set(bins.bincount(minlength=15).tolist()) == {6, 7}
    labels = (torch.arange(100) % 3 == 0).long()
    expected = sum(
        abs(float((scores[bins == b].sigmoid() - labels[bins == b]).sum())) for b in range(15)
    )
    assert calibration_error(scores, labels, bins=15) == pytest.approx(expected / 100)


def test_overall_metrics_are_the_three_by_name() -> None:
    scores, labels = logits([0.2, 0.9, 0.4, 0.7]), torch.tensor([0, 1, 0, 0])
    assert overall_metrics(scores, labels) == {
        "auc": 1.0,
        "log_loss": log_loss(scores, labels),
        "calibration_error": calibration_error(scores, labels),
    }


def test_wrong_inputs_are_refused_with_the_rule_and_the_value() -> None:
    two, users = torch.tensor([0.5, 0.1]), torch.tensor([1, 1])
    with pytest.raises(ValueError, match=r"labels must be 0 or 1: got 2"):
        auc(two, torch.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"both be \[n\]: got \(2,\) and \(3,\)"):
        log_loss(two, torch.tensor([1, 0, 0]))
    with pytest.raises(ValueError, match=r"users must have the shape of scores \(2,\): got \(1,\)"):
        metrics_by_user(two, torch.tensor([1, 0]), users[:1])
    with pytest.raises(ValueError, match="scores must not be NaN: got 1 of 2"):
        metrics_by_user(torch.tensor([math.nan, 1]), torch.tensor([1, 0]), users)
    with pytest.raises(ValueError, match="k must be at least 1: got 0"):
        metrics_by_user(two, torch.tensor([1, 0]), users, hit_cutoffs=(0,))
    with pytest.raises(ValueError, match="bins must be at least 1: got 0"):
        calibration_error(two, torch.tensor([1, 0]), bins=0)


def test_without_samples_there_is_no_user_and_nothing_overall() -> None:
    none, ids = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    assert all(len(values) == 0 for values in metrics_by_user(none, ids, ids).values())
    for metric in (auc, log_loss, calibration_error, overall_metrics):
        with pytest.raises(ValueError, match="at least one sample: got 0"):
            metric(none, ids)


def orders(scores: list[int], labels: list[int]) -> Iterator[list[int]]:
    """The labels, best score first, in every order of the tied samples."""
    ranked = sorted(zip(scores, labels, strict=True), reverse=True)
    tied = [[label for _, label in group] for _, group in groupby(ranked, key=lambda one: one[0])]
    for parts in product(*(permutations(group) for group in tied)):
        yield [label for part in parts for label in part]


def of_order(labels: list[int], k: int) -> tuple[float, float, float]:
    """NDCG@k, hit and AUC of labels in the order ranked, none of them tied."""
    gain = sum(label / math.log2(rank + 2) for rank, label in enumerate(labels[:k]))
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, sum(labels))))
    pairs = [(a, b) for a, one in enumerate(labels) for b, no in enumerate(labels) if one > no]
    won = [float(a < b) for a, b in pairs]
    return gain / ideal, float(any(labels[:k])), sum(won) / len(won) if won else math.nan


@settings(max_examples=150)
@given(one_users, st.integers(0, 2), st.integers(1, 6))
def test_metrics_are_expectations_over_all_orders_of_ties(
    others: list[tuple[int, int]], score_of_a_positive: int, k: int
) -> None:
    rows = [*others, (score_of_a_positive, 1)]
    scores, labels = [score for score, _ in rows], [label for _, label in rows]
    every = [of_order(order, k) for order in orders(scores, labels)]
    expected = [math.fsum(values) / len(every) for values in zip(*every, strict=True)]
    by_user = metrics_by_user(*tensors([(*row, 0) for row in rows]), (k,), (k,))
    ours = [values.item() for values in by_user.values()]
    assert list(by_user) == [f"ndcg_at_{k}", f"hit_at_{k}", "user_auc"]
    assert ours == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("levels", [3, 12, 10**9])
def test_each_user_agrees_with_scikit_learn_with_and_without_ties(levels: int) -> None:
    random = np.random.default_rng(levels)
    num = 1500
    users = random.integers(60, size=num)
    scores = random.integers(levels, size=num) / levels
    labels = (random.random(num) < 0.3).astype(int)
    by_user = metrics_by_user(*(torch.from_numpy(one) for one in (scores, labels, users)))
    for place, user in enumerate(np.unique(users)):
        own_labels, own_scores = labels[users == user], scores[users == user]
        assert 0 < own_labels.sum() < len(own_labels)
        for k in (1, 5, 10):
            theirs = sklearn.metrics.ndcg_score(own_labels[None], own_scores[None], k=k)
            assert by_user[f"ndcg_at_{k}"][place].item() == pytest.approx(theirs, abs=1e-12)
        theirs = sklearn.metrics.roc_auc_score(own_labels, own_scores)
        assert by_user["user_auc"][place].item() == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("levels", [5, 10**9])
def test_overall_metrics_agree_with_scikit_learn(levels: int) -> None:
    random = np.random.default_rng(levels)
    scores = torch.from_numpy(random.integers(levels, size=5000) / levels * 6 - 3)
    labels = torch.from_numpy(random.random(5000)) < scores.sigmoid()
    ours = overall_metrics(scores, labels)
    theirs = sklearn.metrics.roc_auc_score(labels.numpy(), scores.numpy())
    assert ours["auc"] == pytest.approx(theirs, abs=1e-12)
    theirs = sklearn.metrics.log_loss(labels.numpy(), scores.sigmoid().numpy())
    assert ours["log_loss"] == pytest.approx(theirs, abs=1e-12)
    assert ours["calibration_error"] < 0.05


@given(samples, st.randoms())
def test_the_order_of_the_samples_changes_nothing(rows: list[Sample], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, again = tensors(rows), tensors(shuffled)
    one, other = metrics_by_user(*first), metrics_by_user(*again)
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], rtol=0, atol=0, equal_nan=True)
    for metric in (auc, calibration_error):
        assert metric(*first[:2]) == pytest.approx(metric(*again[:2]), rel=0, abs=0, nan_ok=True)
    assert log_loss(*first[:2]) == pytest.approx(log_loss(*again[:2]), rel=1e-12)


@given(samples, st.sampled_from([torch.exp, torch.sigmoid, lambda scores: 5 * scores - 100]))
def test_rising_transforms_of_the_scores_change_no_ranking_metric(
    rows: list[Sample], rise: object
) -> None:
    scores, labels, users = tensors(rows)
    changed = rise(scores)  # type: ignore[operator]
    one, other = metrics_by_user(scores, labels, users), metrics_by_user(changed, labels, users)
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], rtol=0, atol=0, equal_nan=True)
    assert auc(scores, labels) == pytest.approx(auc(changed, labels), rel=0, abs=0, nan_ok=True)


@given(samples)
def test_a_user_is_measured_alone_and_lies_in_the_unit_interval(rows: list[Sample]) -> None:
    scores, labels, users = tensors(rows)
    together = metrics_by_user(scores, labels, users)
    for place, user in enumerate(users.unique()):
        own = users == user
        alone = metrics_by_user(scores[own], labels[own], users[own])
        for name, values in together.items():
            torch.testing.assert_close(values[place], alone[name][0], equal_nan=True)
            assert values[place].isnan() or -1e-12 <= values[place] <= 1 + 1e-12
            kinds = set(labels[own].tolist())
            held = kinds == {0, 1} if name == "user_auc" else 1 in kinds
            assert values[place].isnan().item() is not held
    assert 0 <= calibration_error(scores, labels) <= 1
