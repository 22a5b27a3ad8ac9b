"""Simple completers that a model must beat. B lists, L input slots, V = NUM_SPECIAL + N indices."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cove.batches import ListBatch
from cove.vocabulary import NUM_SPECIAL, PAD


class MostPopular:
    """The same items for every list: the most frequent ones that it does not hold.

    popularity: [V] occurrences of every index in the training split.
    """

    def __init__(self, popularity: Tensor) -> None:
        self.popularity = popularity

    @torch.no_grad()
    def complete(
        self, batch: ListBatch, k: int, forbidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give the k most frequent items, [B, k] indices and [B, k] scores (the frequency)."""
        popularity = self.popularity.to(batch.inputs.device, torch.float32)
        scores = popularity.expand(len(batch.inputs), -1)
        return best_candidates(scores, batch, k, forbidden, popularity)


class ItemCooccurrence:
    """Items that occur in the same lists: score(j) = Σ over given i of cooc(i, j) / √(n_i n_j).

    cooc(i, j) counts the training lists that hold both, n_i those that hold i; a repeat counts
    once, among the given items too. With X the binary lists × items matrix this is
    n^-½ Xᵀ X n^-½ applied to the given items, so the item × item matrix is never built.

    lists: training lists of indices, specials included in the numbering; num_items: N.
    """

    def __init__(self, lists: Sequence[Sequence[int]], num_items: int) -> None:
        held = [sorted(set(one)) for one in lists]
        columns = torch.tensor([index for one in held for index in one], dtype=torch.int64)
        lengths = torch.tensor([len(one) for one in held], dtype=torch.int64)
        rows = torch.repeat_interleave(torch.arange(len(held)), lengths)
        size = NUM_SPECIAL + num_items
        counts = torch.bincount(columns, minlength=size)  # [V]
        if len(counts) > size:
            raise ValueError(f"lists must hold indices below {size}: got {len(counts) - 1}")
        self.num_lists = counts.float()
        values = self.num_lists.rsqrt()[columns]
        self._weights = torch.sparse_coo_tensor(
            torch.stack([rows, columns]), values, (len(held), size), check_invariants=True
        )  # [lists, V], X n^-½
        self._transposed = self._weights.t().coalesce()

    @torch.no_grad()
    def complete(
        self, batch: ListBatch, k: int, forbidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give the k items with the highest scores, equal ones by frequency: [B, k] and [B, k]."""
        device = batch.inputs.device
        given = torch.zeros(len(batch.inputs), len(self.num_lists))  # [B, V]
        given.scatter_(1, batch.inputs.cpu(), 1.0)
        given[:, :NUM_SPECIAL] = 0.0
        overlap = torch.sparse.mm(self._weights, given.t())  # [lists, B]
        scores = torch.sparse.mm(self._transposed, overlap).t().to(device)  # [B, V]
        return best_candidates(scores, batch, k, forbidden, self.num_lists.to(device))


def best_candidates(
    scores: Tensor, batch: ListBatch, k: int, forbidden: Tensor | None, popularity: Tensor
) -> tuple[Tensor, Tensor]:
    """Rank the candidates of every list: neither special nor given nor forbidden.

    scores: [B, V]; forbidden: [B, V] bool or None; popularity: [V], which orders equal scores.

    Returns:
        [B, k] int64 indices and [B, k] float32 scores; PAD and -inf where candidates run out.
    """
    scores = scores.float().scatter(1, batch.inputs, float("-inf"))
    scores[:, :NUM_SPECIAL] = float("-inf")
    if forbidden is not None:
        scores = scores.masked_fill(forbidden.to(scores.device), float("-inf"))
    by_popularity = popularity.argsort(descending=True, stable=True)  # [V]
    ordered, places = scores[:, by_popularity].sort(dim=1, descending=True, stable=True)
    best, indices = ordered[:, :k], by_popularity[places[:, :k]]
    missing = k - best.shape[1]
    best = torch.nn.functional.pad(best, (0, missing), value=float("-inf"))
    indices = torch.nn.functional.pad(indices, (0, missing), value=PAD)
    return indices.masked_fill(best.isneginf(), PAD), best
