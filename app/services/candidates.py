"""Which items of a catalogue may be given, and the best of them.

B lists or users, N items, K candidates, H levels, G items that are given. Rows count from 0
without the special ids, indices with them.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.schemas import DEEPEST
from app.services.batching import stop_if_given_up
from app.services.entity_index import EntityIndex
from app.services.errors import NotReadyError
from cove.vocabulary import NUM_SPECIAL, ExternalId

Candidates = list[tuple[int, float]]
"""Rows and their scores, best first."""
Top = Callable[[slice, int], tuple[Tensor, Tensor]]
"""The k best of the lists or users at some places, [B, k] indices and scores, special indices where
candidates run out."""


@dataclass(frozen=True)
class Bounds:
    """What an answer may give."""

    k: int = 10
    exclude: Sequence[ExternalId] = ()
    allow: Sequence[ExternalId] | None = None
    max_per_code: int | None = None

    @property
    def alike(self) -> Hashable:
        """What answers must share to be read off together; what is rare is read alone."""
        return self.k if self.allow is None and self.max_per_code is None else id(self)


def allowed_mask(index: EntityIndex, bounds: Bounds) -> Tensor | None:
    """[1, NUM_SPECIAL + N] bool, True for what `allow` leaves out; None where it allows all."""
    if bounds.allow is None:
        return None
    mask = torch.ones((1, NUM_SPECIAL + len(index.vocabulary)), dtype=torch.bool)
    mask[0, index.vocabulary.encode(bounds.allow)[0]] = False
    return mask


def known_rows(index: EntityIndex, externals: Sequence[ExternalId]) -> Tensor:
    """The rows of those ids that the model knows, [at most as many] int64, orders kept."""
    indices = index.vocabulary.encode(externals)[0]
    return torch.tensor(indices, dtype=torch.int64) - NUM_SPECIAL


def best(index: EntityIndex, top: Top, mask: Tensor | None, bounds: Bounds) -> list[Candidates]:
    """The best of each list or user within the bounds, but for `exclude`, which `top` heeds as it
    does `mask`, the bounds' `allowed_mask`.

    Where one has too few codes among its best, more of its best are looked through, for each alone,
    in all DEEPEST at most: so an answer with `max_per_code` may be short of k.

    Raises:
        NotReadyError: a score is no number: the model's weights are not finite.
        GivenUpError: nobody waits for the answer any more.
    """
    most = len(index.vocabulary) if mask is None else int((~mask).sum())
    if bounds.max_per_code is None or not index.levels:
        return _ranked(index, top, slice(None), min(bounds.k, most))
    depth = min(4 * bounds.k, most)
    chosen = [limited(index, each, bounds) for each in _ranked(index, top, slice(None), depth)]
    wanted, deepest = min(bounds.k, _reachable(index, mask, bounds)), min(DEEPEST, most)
    for place in range(len(chosen)):
        tried = depth
        while len(chosen[place]) < wanted and tried < deepest:
            stop_if_given_up()
            tried = min(4 * tried, deepest)
            (found,) = _ranked(index, top, slice(place, place + 1), tried)
            chosen[place] = limited(index, found, bounds)
    return chosen


def _ranked(index: EntityIndex, top: Top, places: slice, depth: int) -> list[Candidates]:
    """The `depth` best of some lists or users."""
    indices, scores = top(places, max(1, depth))
    if not bool(scores[indices >= NUM_SPECIAL].isfinite().all()):  # a NaN is above all numbers
        raise NotReadyError(f"the model {index.model_id} gives no number: train it again")
    rows = zip(indices.tolist(), scores.tolist(), strict=True)
    return [
        [(one - NUM_SPECIAL, score) for one, score in zip(*row, strict=True) if one >= NUM_SPECIAL]
        for row in rows
    ]


def _reachable(index: EntityIndex, mask: Tensor | None, bounds: Bounds) -> int:
    """How many items there can be at most with so many of each level-1 code."""
    codes = index.codes[:, 0] if mask is None else index.codes[~mask[0, NUM_SPECIAL:], 0]
    return int(torch.bincount(codes).clamp(max=bounds.max_per_code).sum())


def most_popular(index: EntityIndex, barred: Sequence[int], bounds: Bounds) -> Candidates:
    """The most popular items within the bounds but for the indices `barred`; scores are their
    occurrences in training."""
    without = torch.tensor(barred, dtype=torch.int64) - NUM_SPECIAL
    if bounds.allow is None:
        rows = index.most_popular
    else:
        rows = torch.unique(known_rows(index, bounds.allow))
        rows = rows[torch.argsort(index.popularity[rows], descending=True, stable=True)]
    wanted = bounds.k + len(without)
    while True:
        first = rows[:wanted].long()
        first = first[~torch.isin(first, without)]
        pairs = zip(first.tolist(), index.popularity[first].tolist(), strict=True)
        chosen = limited(index, list(pairs), bounds)
        if len(chosen) == bounds.k or wanted >= len(rows):
            return chosen
        wanted *= 4


def limited(index: EntityIndex, candidates: Candidates, bounds: Bounds) -> Candidates:
    """The first k candidates, with at most `max_per_code` of one level-1 code."""
    if bounds.max_per_code is None or not index.levels:
        return candidates[: bounds.k]
    rows = torch.tensor([row for row, _ in candidates], dtype=torch.int64)
    taken: Counter[int] = Counter()
    kept = []
    for candidate, code in zip(candidates, index.codes[rows, 0].tolist(), strict=True):
        if taken[code] < bounds.max_per_code:
            taken[code] += 1
            kept.append(candidate)
    return kept[: bounds.k]


def shared_codes(index: EntityIndex, rows: Tensor, given: Tensor) -> Tensor:
    """How many of the rows `given` [G] share the code of each of `rows` [K]: [K, H] int64."""
    codes, given_codes = index.codes[rows], index.codes[given]  # [K, H], [G, H]
    shared = torch.zeros_like(codes)
    for column, level in enumerate(index.levels):
        counts = torch.bincount(given_codes[:, column], minlength=level.size)  # [v]
        shared[:, column] = counts[codes[:, column]]
    return shared
