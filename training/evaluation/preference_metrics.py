"""Where a user's held-out item ranks, among all items and among 99. B users, m held-out items, N.

Two protocols that never share a name:

- `full`, metrics `ndcg_at_10`, …: among all items but those that the user is known to have.
- `sampled_99`, metrics `sampled_99_ndcg_at_10`, …: among 99 items drawn once for all models (the
  paper's form). These numbers are several times as high and may order models otherwise (Krichene
  and Rendle 2020).

With one held-out item the ideal gain is 1, so NDCG@k is 1 / log2(1 + rank) up to rank k. Ties are
broken without favour: a metric is its expectation over all orders of the tied items. An item or a
user that training does not know is a miss, and a NaN counts as a higher score than any, unless it
is the held-out item's own, which then ranks last: a broken model gains nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.histories import Histories

CUTOFFS = (5, 10)
NUM_SAMPLED = 99
SAMPLED = f"sampled_{NUM_SAMPLED}_"
"""What the names of the sampled protocol's metrics begin with; those of the full one are bare."""
_SCORES_AT_ONCE = 1 << 21
"""Scores held in memory while targets are ranked: 8 MiB, and as much again for a comparison."""
_MISSED = 1 << 40
"""More than any rank."""

ScoreAll = Callable[[Tensor], Tensor]
"""Scores [B, N] of all items for users [B], as `PreferenceModel.score_all`."""


@dataclass
class HeldOut:
    """The items of a split that are to be found, one for each of m users."""

    users: Tensor  # [m] int64 indices, PAD where training does not know the user
    targets: Tensor  # [m] int64 indices, likewise
    owners: Tensor  # [m] int64, the user's number in the data, known or not
    candidates: Tensor  # [m, NUM_SAMPLED] int64 indices, PAD where there are not as many
    left_out: Histories  # what a user is known to have, no candidate of the full ranking

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device) -> "HeldOut":
        """Move the tensors to a device, in place."""
        for name in ("users", "targets", "owners", "candidates"):
            setattr(self, name, getattr(self, name).to(device))
        self.left_out.to(device)
        return self

    def known(self) -> Tensor:
        """The rows of users and items that training knows, [at most m]."""
        return ((self.users != PAD) & (self.targets != PAD)).nonzero().squeeze(1)


class Ranks(NamedTuple):
    """Where targets rank: [m] int64 each."""

    above: Tensor
    """Candidates with a higher score."""
    tied: Tensor
    """Other candidates with the same score."""


def metrics_of(ranks: Ranks, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Tensor]:
    """Expected NDCG and hit rate of every target, each [m] float64: `ndcg_at_5`, `hit_at_5`, …

    Raises:
        ValueError: a cutoff is below 1.
    """
    metrics = {}
    for k in cutoffs:
        if k < 1:
            raise ValueError(f"k must be at least 1: got {k}")
        places = torch.arange(2, k + 2, dtype=torch.float64, device=ranks.above.device)
        gain_of_first = F.pad((1.0 / places.log2()).cumsum(0), (1, 0))  # [k + 1]
        share = 1.0 / (ranks.tied + 1).double()
        first = ranks.above.clamp(max=k)
        last = (ranks.above + ranks.tied + 1).clamp(max=k)
        metrics[f"ndcg_at_{k}"] = (gain_of_first[last] - gain_of_first[first]) * share
        metrics[f"hit_at_{k}"] = (last - first) * share
    return metrics


def measure_held_out(score_all: ScoreAll, held_out: HeldOut, num_items: int) -> dict[str, Tensor]:
    """Every metric of both protocols for every held-out item, each [m] float64.

    Each user's scores are computed once, for a few users at a time.
    """
    full, sampled = rank_held_out(score_all, held_out, num_items)
    named = {SAMPLED + name: values for name, values in metrics_of(sampled).items()}
    return metrics_of(full) | named


@torch.no_grad()
def rank_held_out(score_all: ScoreAll, held_out: HeldOut, num_items: int) -> tuple[Ranks, Ranks]:
    """The ranks of the held-out items by the full protocol and by the sampled one."""
    full, sampled = (
        Ranks(torch.full_like(held_out.users, _MISSED), torch.zeros_like(held_out.users))
        for _ in range(2)
    )
    for rows in held_out.known().split(max(1, _SCORES_AT_ONCE // num_items)):
        users, targets = held_out.users[rows], held_out.targets[rows]
        scores = score_all(users).float()  # [B, N]
        items, owners = held_out.left_out.of(users)
        found = (
            rank_among_all(scores, targets, items, owners),
            rank_among(scores, targets, held_out.candidates[rows]),
        )
        for ranks, part in zip((full, sampled), found, strict=True):
            ranks.above[rows], ranks.tied[rows] = part
    return full, sampled


def rank_among_all(scores: Tensor, targets: Tensor, items: Tensor, owners: Tensor) -> Ranks:
    """Rank targets [B] among all items but some of scores [B, N], without sorting.

    items, owners: [t] int64, indices of items that are no candidates and the row of each; a target
    stays a candidate even where it is among them.
    """
    others = items != targets[owners]
    items, owners = items[others], owners[others]
    own = scores.gather(1, targets[:, None] - NUM_SPECIAL)  # [B, 1]
    left_out = scores[owners, items - NUM_SPECIAL]  # [t]
    comparison = torch.empty_like(scores)
    counts = []
    for compare in (torch.le, torch.lt):
        # Numbers of single precision add up five times as fast as truth values on a CPU, and are
        # exact to 16 million items.
        every = compare(scores, own, out=comparison).sum(dim=1).long()  # [B]
        without = compare(left_out, own.squeeze(1)[owners]).long()  # [t]
        counts.append(every.index_add(0, owners, without, alpha=-1))
    not_above, below = counts
    candidates = scores.shape[1] - torch.bincount(owners, minlength=len(targets))
    return Ranks(candidates - not_above, (not_above - below - 1).clamp(min=0))


def rank_among(scores: Tensor, targets: Tensor, candidates: Tensor) -> Ranks:
    """Rank targets [B] of scores [B, N] among candidates [B, C], PAD where there are fewer."""
    own = scores.gather(1, targets[:, None] - NUM_SPECIAL)  # [B, 1]
    others = scores.gather(1, (candidates - NUM_SPECIAL).clamp(min=0))  # [B, C]
    there = candidates != PAD
    above = (there & ~(others <= own)).sum(dim=1)
    return Ranks(above, (there & (others == own)).sum(dim=1))
