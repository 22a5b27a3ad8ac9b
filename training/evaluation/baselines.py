"""Simple completers that a model must beat. B lists, L input slots, V = NUM_SPECIAL + N indices."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cove.batches import ListBatch
from cove.errors import DataError
from cove.retrieval import made_up_to
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
        held = incidence(lists, num_items)
        self.num_lists = torch.bincount(held.indices()[1], minlength=held.shape[1]).float()
        self._weights = torch.sparse_coo_tensor(
            held.indices(),
            self.num_lists.rsqrt()[held.indices()[1]],
            held.shape,
            check_invariants=True,
        )  # [lists, V], X n^-½
        self._transposed = self._weights.t().coalesce()

    @torch.no_grad()
    def complete(
        self, batch: ListBatch, k: int, forbidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give the k items with the highest scores, equal ones by frequency: [B, k] and [B, k]."""
        device = batch.inputs.device
        given = given_items(batch.inputs.cpu(), len(self.num_lists))
        overlap = torch.sparse.mm(self._weights, given.t())  # [lists, B]
        scores = torch.sparse.mm(self._transposed, overlap).t().to(device)  # [B, V]
        return best_candidates(scores, batch, k, forbidden, self.num_lists.to(device))


class ItemKnn:
    """Items most like the given ones: score(j) = Σ over given i that have j as neighbour, s(i, j).

    s(i, j) = cooc(i, j) / (√(n_i n_j) + shrink), the cosine of two items' training lists, shrunk
    where few lists hold both; of each item only its `neighbours` most similar ones count.

    lists: training lists of indices, a repeat counts once; num_items: N.
    """

    def __init__(
        self, lists: Sequence[Sequence[int]], num_items: int, neighbours: int, shrink: float
    ) -> None:
        held = incidence(lists, num_items)
        self.num_lists = torch.bincount(held.indices()[1], minlength=held.shape[1]).float()  # [V]
        rows, columns, values = [], [], []
        for start, counts in cooccurrence_rows(held):
            scale = (self.num_lists[start : start + len(counts), None] * self.num_lists).sqrt()
            similar = counts / (scale + shrink).clamp(min=1e-12)  # [C, V]
            own = torch.arange(len(counts))
            similar[own, start + own] = 0.0
            best, places = similar.topk(min(neighbours, similar.shape[1]), dim=1)  # [C, neighbours]
            some = best > 0
            rows.append((start + own)[:, None].expand_as(places)[some])
            columns.append(places[some])
            values.append(best[some])
        self.similar_to = torch.sparse_coo_tensor(
            torch.stack([torch.cat(columns), torch.cat(rows)]), torch.cat(values),
            (held.shape[1], held.shape[1]), check_invariants=True,
        ).coalesce()  # [V, V], column i holds the neighbours of i  # fmt: skip

    @torch.no_grad()
    def complete(
        self, batch: ListBatch, k: int, forbidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give the k items with the highest scores, equal ones by frequency: [B, k] and [B, k]."""
        device = batch.inputs.device
        given = given_items(batch.inputs.cpu(), len(self.num_lists))
        scores = torch.sparse.mm(self.similar_to, given.t()).t().to(device)  # [B, V]
        return best_candidates(scores, batch, k, forbidden, self.num_lists.to(device))


class Ease:
    """EASE (Steck 2019): the linear item-to-item model with the smallest regularised error.

    B = I − P diag(P)^-1, P = (XᵀX + λ I)^-1, X the binary lists × items matrix; a list's scores
    are the sum of B's rows of the items given. One dense matrix of N², so there is a bound.

    lists: training lists of indices, a repeat counts once; num_items: N; regularization: λ > 0.

    Raises:
        DataError: more than `MOST_ITEMS` items.
    """

    MOST_ITEMS = 40_000
    """N² single-precision numbers are 6.4 GB there."""

    def __init__(
        self,
        lists: Sequence[Sequence[int]],
        num_items: int,
        regularization: float,
        device: torch.device | None = None,
    ) -> None:
        if num_items > self.MOST_ITEMS:
            raise DataError(
                f"EASE inverts a dense matrix of all items and takes at most {self.MOST_ITEMS}: "
                f"got {num_items}"
            )
        held = incidence(lists, num_items)
        # Single precision is enough: the condition number is at most 1 + (entries of X) / λ.
        gram = torch.empty(held.shape[1], held.shape[1], device=device)
        for start, counts in cooccurrence_rows(held):
            gram[start : start + len(counts)] = counts.to(gram)
        self.num_lists = gram.diagonal().cpu().clone()  # [V]
        gram.diagonal().add_(regularization)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        del gram
        self.weights = inverse.div_(-inverse.diagonal().clone())  # [V, V], B
        self.weights.diagonal().zero_()

    @torch.no_grad()
    def complete(
        self, batch: ListBatch, k: int, forbidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give the k items with the highest scores, equal ones by frequency: [B, k] and [B, k]."""
        device = batch.inputs.device
        given = given_items(batch.inputs.to(self.weights.device), len(self.num_lists))
        scores = (given @ self.weights).to(device)  # [B, V]
        return best_candidates(scores, batch, k, forbidden, self.num_lists.to(device))


def incidence(lists: Sequence[Sequence[int]], num_items: int) -> Tensor:
    """The binary lists × items matrix X, sparse [lists, V]; a repeat counts once.

    Raises:
        ValueError: an index is beyond the catalogue.
    """
    held = [sorted(set(one)) for one in lists]
    columns = torch.tensor([index for one in held for index in one], dtype=torch.int64)
    lengths = torch.tensor([len(one) for one in held], dtype=torch.int64)
    rows = torch.repeat_interleave(torch.arange(len(held)), lengths)
    size = NUM_SPECIAL + num_items
    if len(columns) and int(columns.max()) >= size:
        raise ValueError(f"lists must hold indices below {size}: got {int(columns.max())}")
    made = torch.sparse_coo_tensor(
        torch.stack([rows, columns]), torch.ones(len(columns)), (len(held), size),
        check_invariants=True,
    )  # fmt: skip
    return made.coalesce()


def cooccurrence_rows(held: Tensor, values: int = 1 << 24) -> Iterator[tuple[int, Tensor]]:
    """The rows of XᵀX of X [lists, V], dense and a few at a time: (first row, [C, V]).

    values: about how many counts are in memory at once.
    """
    rows, columns = held.indices()
    size = held.shape[1]
    lengths = torch.bincount(rows, minlength=held.shape[0])  # [lists]
    begins = lengths.cumsum(0) - lengths
    by_item = columns.argsort(stable=True)
    ends = torch.bincount(columns, minlength=size).cumsum(0).tolist()
    step = max(1, values // size)
    for start in range(0, size, step):
        stop = min(start + step, size)
        held_here = by_item[ends[start - 1] if start else 0 : ends[stop - 1]]
        # Each of these places in a list meets every item of its list.
        many = lengths[rows[held_here]]
        nth = torch.arange(int(many.sum())) - (many.cumsum(0) - many).repeat_interleave(many)
        other = columns[begins[rows[held_here]].repeat_interleave(many) + nth]
        own = (columns[held_here] - start).repeat_interleave(many)
        counts = torch.bincount(own * size + other, minlength=(stop - start) * size)
        yield start, counts.view(stop - start, size).float()


def given_items(inputs: Tensor, size: int) -> Tensor:
    """Mark the items of lists [B, L], specials left out: [B, V] of 0 and 1."""
    given = torch.zeros(len(inputs), size, device=inputs.device)
    given.scatter_(1, inputs, 1.0)
    given[:, :NUM_SPECIAL] = 0.0
    return given


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
    return made_up_to(k, indices.masked_fill(best.isneginf(), PAD), best)
