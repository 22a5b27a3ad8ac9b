"""Test metrics by thirds: rare, middle and popular items; short, middle and long lists.

A mean over everything hides who gains. n lists or users, N items, K ranks, T targets.
"""

import math

import torch
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.metrics import ndcg_at

OF_ITEMS = ("rare_items", "middle_items", "popular_items")
"""By occurrences in training."""
OF_LENGTHS = ("short", "middle", "long")
"""By the number of given items."""
_CUTOFF = 10
NDCG = f"ndcg_at_{_CUTOFF}"


def thirds(values: Tensor) -> Tensor:
    """The third, 0 to 2, that each of values [n] is in, lowest first: [n] int64.

    Equal values share a third, the lower one: of 1, 1, 1, 2, 3, 4 the three ones are in the first.
    """
    if not len(values):
        return values.long()
    last = [math.ceil(part * len(values) / 3) - 1 for part in (1, 2)]
    bounds = values.sort().values[last]
    return (values[:, None] > bounds).sum(dim=1)


def of_wanted_items(ndcg: Tensor, targets: Tensor, popularity: Tensor) -> dict[str, Tensor]:
    """NDCG@10 [n] of the users whose one target [n] (PAD: unknown) is in each third of the items
    by popularity [N], and NaN for others: three times [n]."""
    third = _third_of(targets, popularity)
    return _apart(ndcg, third, OF_ITEMS)


def of_wanted_sets(ranked: Tensor, targets: Tensor, popularity: Tensor) -> dict[str, Tensor]:
    """NDCG@10 of lists where only the targets in one third of the items count, NaN for a list
    without any: three times [n].

    ranked: [n, K]; targets: [n, T], PAD where there is nothing; popularity: [N].
    """
    third, found = _third_of(targets, popularity), {}
    for number, name in enumerate(OF_ITEMS):
        some = targets.masked_fill(third != number, PAD)
        value = ndcg_at(ranked, some, _CUTOFF)
        found[f"{NDCG}_of_{name}"] = value.masked_fill((some == PAD).all(dim=1), torch.nan)
    return found


def of_lengths(ndcg: Tensor, lengths: Tensor, what: str) -> dict[str, Tensor]:
    """NDCG@10 [n] of each third by the number of items given [n]; `what`: "lists", "histories"."""
    return _apart(ndcg, thirds(lengths), [f"{length}_{what}" for length in OF_LENGTHS])


def _third_of(targets: Tensor, popularity: Tensor) -> Tensor:
    """The third of each target of any shape, −1 for what training does not know."""
    by_index = torch.full((NUM_SPECIAL + len(popularity) + 1,), -1, device=targets.device)
    by_index[NUM_SPECIAL:-1] = thirds(popularity).to(targets.device)
    return by_index[targets.clamp(max=len(by_index) - 1)]


def _apart(ndcg: Tensor, third: Tensor, names: tuple[str, ...] | list[str]) -> dict[str, Tensor]:
    return {
        f"{NDCG}_of_{name}": ndcg.masked_fill(third.to(ndcg.device) != number, torch.nan)
        for number, name in enumerate(names)
    }
