"""Metrics of scored clicks, as pure functions of tensors. n samples, U users, G tied groups.

scores: [n] float, logits, higher meaning likelier; labels: [n], 1 a click (a positive) and 0 none;
users: [n] int64, any numbers. A tied group is all samples of one user with one score.

Ties are broken without favour: the metric of a user is its expectation over all orders of the
tied samples, computed exactly, so a model gains nothing by giving many items one score. All is
computed in float64 on the device of `scores`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


def metrics_by_user(
    scores: Tensor,
    labels: Tensor,
    users: Tensor,
    ndcg_cutoffs: tuple[int, ...] = (1, 5, 10),
    hit_cutoffs: tuple[int, ...] = (5, 10),
) -> dict[str, Tensor]:
    """Every metric of every user, each [U] float64, the users ascending: `ndcg_at_1`, …

    `ndcg_at_<k>`: standard NDCG@k, the ideal ranks the first min(k, positives) only.
    `hit_at_<k>`: 1 if any of the first k is a positive, else 0. Both are NaN without a positive.
    `user_auc`: the share of pairs of a positive and a negative in which the positive scores
    higher, a tie counting half; NaN without such a pair.

    Raises:
        ValueError: the shapes differ, a label is not 0 or 1, a score is NaN, or a cutoff is
            below 1.
    """
    groups = _tied_groups(scores, labels, users)
    metrics = {f"ndcg_at_{k}": _ndcg_at(groups, k) for k in ndcg_cutoffs}
    metrics |= {f"hit_at_{k}": _hit_at(groups, k) for k in hit_cutoffs}
    return metrics | {"user_auc": _auc(groups)}


def overall_metrics(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """`auc`, `log_loss` and `calibration_error` over all samples.

    Raises:
        ValueError: there is no sample, or as for `metrics_by_user`.
    """
    return {
        "auc": auc(scores, labels),
        "log_loss": log_loss(scores, labels),
        "calibration_error": calibration_error(scores, labels),
    }


def auc(scores: Tensor, labels: Tensor) -> float:
    """Area under the ROC curve over all samples, a tie counting half; NaN if one label is missing.

    Raises:
        ValueError: there is no sample, or as for `metrics_by_user`.
    """
    return float(_auc(_groups_of_all(scores, labels)))


def log_loss(scores: Tensor, labels: Tensor) -> float:
    """Mean binary cross-entropy in nats, from logits: nothing is clipped.

    Raises:
        ValueError: there is no sample, or as for `metrics_by_user`.
    """
    _check(scores, labels)
    _check_not_empty(scores)
    logits = scores.double()
    return float(-F.logsigmoid(torch.where(labels == 1, logits, -logits)).mean())


def calibration_error(scores: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error in [0, 1], with bins of equal mass.

    The n samples are ranked by falling score, ranks from 0. Samples with one score stay together:
    those at ranks a to b - 1 all go to bin floor(bins · (a + b) / 2n), the bin of the middle of
    their ranks. So without ties the bins differ by one sample at most, and with ties some are
    larger and some empty. The error is the sum over bins of
    (samples in the bin / n) · |mean predicted probability - share of positives|.

    Raises:
        ValueError: bins is below 1, there is no sample, or as for `metrics_by_user`.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1: got {bins}")
    groups = _groups_of_all(scores, labels)
    twice_middle = 2 * groups.starts + groups.sizes
    owners = bins * twice_middle // (2 * len(scores))  # [G]
    excess = groups.scores.sigmoid() * groups.sizes - groups.positives  # [G]
    return float(_sum_by_owner(excess, owners, bins).abs().sum() / len(scores))


@dataclass(frozen=True)
class _TiedGroups:
    """The samples of each user by falling score, those of one score together; users ascending."""

    owners: Tensor
    """[G] int64, the user's place among the U."""
    scores: Tensor
    """[G] float64"""
    starts: Tensor
    """[G] int64, how many samples of the user score higher."""
    sizes: Tensor
    """[G] int64"""
    positives: Tensor
    """[G] int64"""
    positives_above: Tensor
    """[G] int64, how many positives of the user score higher."""
    user_sizes: Tensor
    """[U] int64"""
    user_positives: Tensor
    """[U] int64"""


def _tied_groups(scores: Tensor, labels: Tensor, users: Tensor) -> _TiedGroups:
    _check(scores, labels)
    if users.shape != scores.shape:
        raise ValueError(
            f"users must have the shape of scores {tuple(scores.shape)}: got {tuple(users.shape)}"
        )
    order = scores.double().argsort(descending=True, stable=True)
    order = order[users[order].argsort(stable=True)]
    ordered, users = scores.double()[order], users[order]  # [n]
    _, owners, user_sizes = torch.unique_consecutive(users, return_inverse=True, return_counts=True)
    new = torch.ones_like(users, dtype=torch.bool)
    new[1:] = (users[1:] != users[:-1]) | (ordered[1:] != ordered[:-1])
    firsts = new.nonzero().squeeze(1)  # [G]
    ends = torch.cat([firsts[1:], firsts.new_full((min(len(firsts), 1),), len(ordered))])
    # Differences of running sums of integers are exact, whatever the order of the input.
    positives_before = F.pad(labels[order].long().cumsum(0), (1, 0))  # [n + 1]
    user_ends = user_sizes.cumsum(0)  # [U]
    user_firsts = user_ends - user_sizes
    owners = owners[firsts]  # [n] -> [G]
    first_of_user = user_firsts[owners]  # [G]
    return _TiedGroups(
        owners=owners,
        scores=ordered[firsts],
        starts=firsts - first_of_user,
        sizes=ends - firsts,
        positives=positives_before[ends] - positives_before[firsts],
        positives_above=positives_before[firsts] - positives_before[first_of_user],
        user_sizes=user_sizes,
        user_positives=positives_before[user_ends] - positives_before[user_firsts],
    )


def _groups_of_all(scores: Tensor, labels: Tensor) -> _TiedGroups:
    """All samples as if they were one user's."""
    _check_not_empty(scores)
    return _tied_groups(scores, labels, torch.zeros_like(scores, dtype=torch.int64))


def _ndcg_at(groups: _TiedGroups, k: int) -> Tensor:
    """Expected NDCG@k: a tied group gives each rank that it spans its share of positives. [U]"""
    _check_cutoff(k)
    ranks = torch.arange(2, k + 2, dtype=torch.float64, device=groups.scores.device)
    gain_of_first = F.pad((1.0 / ranks.log2()).cumsum(0), (1, 0))  # [k + 1]
    ends = groups.starts + groups.sizes
    discounts = gain_of_first[ends.clamp(max=k)] - gain_of_first[groups.starts.clamp(max=k)]
    gains = groups.positives / groups.sizes.double() * discounts  # [G]
    gained = _sum_by_owner(gains, groups.owners, len(groups.user_sizes))  # [U]
    # 0 / 0 is the NaN that a user without a positive is to have.
    return gained / gain_of_first[groups.user_positives.clamp(max=k)]


def _hit_at(groups: _TiedGroups, k: int) -> Tensor:
    """Probability that a positive is among the first k: [U].

    It hangs on the user's highest group with a positive alone, for a group below can only reach
    the first k if all of that one has. With m of that group's places inside k, no positive is in
    them with the hypergeometric probability Π over i < m of (negatives - i) / (size - i).
    """
    _check_cutoff(k)
    first = (groups.positives > 0) & (groups.positives_above == 0)
    sizes, starts = groups.sizes[first], groups.starts[first]  # one for each user with a positive
    negatives = sizes - groups.positives[first]
    missed = torch.ones_like(sizes, dtype=torch.float64)
    for i in range(k):
        # At i = negatives the product becomes 0 and stays so: the group's end needs no care.
        share = (negatives - i) / (sizes - i).clamp(min=1).double()
        missed *= torch.where(starts + i < k, share, 1.0)
    hits = torch.full_like(groups.user_sizes, torch.nan, dtype=torch.float64)  # [U]
    hits[groups.owners[first]] = 1.0 - missed
    return hits


def _auc(groups: _TiedGroups) -> Tensor:
    """Pairs won by the positive, a tie being half a win, over all pairs: [U]."""
    user_negatives = groups.user_sizes - groups.user_positives
    negatives = groups.sizes - groups.positives
    negatives_above = groups.starts - groups.positives_above
    below = user_negatives[groups.owners] - negatives_above - negatives
    twice_won = groups.positives * (2 * below + negatives)  # [G]
    won = _sum_by_owner(twice_won, groups.owners, len(groups.user_sizes)).double() / 2
    return won / (groups.user_positives * user_negatives).double()


def _sum_by_owner(values: Tensor, owners: Tensor, num_owners: int) -> Tensor:
    return values.new_zeros(num_owners).index_add(0, owners, values)  # [G] -> [owners]


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.dim() != 1 or labels.shape != scores.shape:
        raise ValueError(
            "scores and labels must both be [n]: "
            f"got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    wrong = labels[(labels != 0) & (labels != 1)]
    if len(wrong):
        raise ValueError(f"labels must be 0 or 1: got {wrong[0].item()}")
    num_unordered = int(scores.isnan().sum())
    if num_unordered:
        raise ValueError(f"scores must not be NaN: got {num_unordered} of {len(scores)}")


def _check_not_empty(scores: Tensor) -> None:
    if scores.numel() == 0:
        raise ValueError("scores must hold at least one sample: got 0")


def _check_cutoff(k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1: got {k}")
