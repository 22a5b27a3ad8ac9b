"""Metrics of ranked lists, as pure functions of tensors. B lists, K ranks, T target slots.

ranked: [B, K] int64 indices, best first; targets: [B, T] int64 indices, both PAD where there is
nothing. Targets are a set: a repeat counts once, in `targets` as in `ranked`.
"""

import torch
from torch import Tensor

from cove.vocabulary import PAD


def ndcg_at(ranked: Tensor, targets: Tensor, k: int) -> Tensor:
    """Standard NDCG@k, [B] in [0, 1]: the ideal ranks the first min(k, targets) only.

    A list without targets gives 0.
    """
    ideal = _ideal_gain(_num_targets(targets).clamp(max=k))
    return _gain_at(ranked, targets, k) / ideal.clamp(min=1.0)


def ndcg_at_full_ideal(ranked: Tensor, targets: Tensor, k: int) -> Tensor:
    """The paper's NDCG@k, [B]: the ideal ranks ALL targets; NaN where those are fewer than k."""
    num_targets = _num_targets(targets)
    ratio = _gain_at(ranked, targets, k) / _ideal_gain(num_targets).clamp(min=1.0)
    return ratio.masked_fill(num_targets < k, float("nan"))


def hit_at(ranked: Tensor, targets: Tensor, k: int) -> Tensor:
    """Hit rate at k, [B]: 1 if any of the first k is a target, else 0."""
    return _hits(ranked, targets, k).any(dim=1).double()


def metrics_by_list(
    ranked: Tensor, targets: Tensor, ks: tuple[int, ...] = (5, 10)
) -> dict[str, Tensor]:
    """Every metric of every list, each [B] float64: `ndcg_at_5`, `ndcg_at_full_ideal_5`, …

    `ndcg_at_full_ideal_<k>` is NaN for a list with fewer than k targets.
    """
    metrics: dict[str, Tensor] = {}
    for k in ks:
        metrics[f"ndcg_at_{k}"] = ndcg_at(ranked, targets, k)
        metrics[f"ndcg_at_full_ideal_{k}"] = ndcg_at_full_ideal(ranked, targets, k)
        metrics[f"hit_at_{k}"] = hit_at(ranked, targets, k)
    return metrics


def mean_metrics(by_list: dict[str, Tensor]) -> dict[str, float]:
    """Average each metric over the lists that have it; one that no list has is left out.

    Raises:
        ValueError: there is no list.
    """
    if any(len(values) == 0 for values in by_list.values()):
        raise ValueError("metrics must hold at least one list: got 0")
    return {
        name: float(values.nanmean())
        for name, values in by_list.items()
        if not bool(values.isnan().all())
    }


def list_metrics(
    ranked: Tensor, targets: Tensor, ks: tuple[int, ...] = (5, 10)
) -> dict[str, float]:
    """Average every metric over the lists: `mean_metrics` of `metrics_by_list`."""
    return mean_metrics(metrics_by_list(ranked, targets, ks))


def _first_occurrences(indices: Tensor) -> Tensor:
    """Mark the places that hold no PAD and nothing that came before in the row: [B, n] bool."""
    ordered, places = indices.sort(dim=1, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return new.gather(1, places.argsort(dim=1)) & (indices != PAD)


def _num_targets(targets: Tensor) -> Tensor:
    return _first_occurrences(targets).sum(dim=1)  # [B]


def _hits(ranked: Tensor, targets: Tensor, k: int) -> Tensor:
    """Mark the ranks that hold a target for the first time: [B, min(k, K)] bool."""
    if k < 1:
        raise ValueError(f"k must be at least 1: got {k}")
    first = ranked[:, :k]
    found = (first.unsqueeze(2) == targets.unsqueeze(1)).any(dim=2)  # [B, k, T] -> [B, k]
    return found & _first_occurrences(first)


def _discounts(num: int, device: torch.device) -> Tensor:
    """1 / log2(rank + 1) for the ranks 1 to num: [num] float64."""
    return 1.0 / torch.arange(2, num + 2, dtype=torch.float64, device=device).log2()


def _gain_at(ranked: Tensor, targets: Tensor, k: int) -> Tensor:
    hits = _hits(ranked, targets, k)
    return hits.double() @ _discounts(hits.shape[1], hits.device)  # [B]


def _ideal_gain(num_targets: Tensor) -> Tensor:
    """Discounted gain of that many targets, all ranked first: [B] float64."""
    longest = int(num_targets.max()) if len(num_targets) else 0
    sums = _discounts(longest, num_targets.device).cumsum(0)
    return torch.cat([sums.new_zeros(1), sums])[num_targets]
