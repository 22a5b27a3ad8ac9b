"""Which items of a catalogue may be given, and the best of them.

N items, K candidates, H levels, G items that are given. Rows count from 0 without the special ids.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.services.entity_index import EntityIndex
from cove.vocabulary import NUM_SPECIAL, ExternalId

Candidates = list[tuple[int, float]]
"""Rows and their scores, best first."""


@dataclass(frozen=True)
class Bounds:
    """What an answer may give."""

    k: int = 10
    exclude: Sequence[ExternalId] = ()
    allow: Sequence[ExternalId] | None = None
    max_per_code: int | None = None


def forbidden_rows(index: EntityIndex, bounds: Bounds) -> Tensor:
    """[N] bool: what no answer within the bounds may give."""
    forbidden = torch.zeros(len(index.vocabulary), dtype=torch.bool)
    if bounds.allow is not None:
        forbidden[:] = True
        forbidden[known_rows(index, bounds.allow)] = False
    forbidden[known_rows(index, bounds.exclude)] = True
    return forbidden


def known_rows(index: EntityIndex, externals: Sequence[ExternalId]) -> Tensor:
    """The rows of those ids that the model knows, [at most as many] int64, orders kept."""
    indices = index.vocabulary.encode(externals)[0]
    return torch.tensor(indices, dtype=torch.int64) - NUM_SPECIAL


def best(index: EntityIndex, scores: Tensor, forbidden: Tensor, bounds: Bounds) -> Candidates:
    """The highest of scores [N] that are not forbidden, [N] bool, within the bounds."""
    scores = scores.masked_fill(forbidden, -torch.inf)
    most = len(scores) - int(forbidden.sum())
    wanted = min(bounds.k if bounds.max_per_code is None else 4 * bounds.k, most)
    while True:
        values, rows = scores.topk(wanted)
        chosen = limited(index, list(zip(rows.tolist(), values.tolist(), strict=True)), bounds)
        if wanted >= most or len(chosen) == bounds.k:
            return chosen
        wanted = min(4 * wanted, most)


def most_popular(index: EntityIndex, forbidden: Tensor, bounds: Bounds) -> Candidates:
    """The most popular items that are not forbidden, [N] bool; scores are their occurrences."""
    rows = index.most_popular[~forbidden[index.most_popular]]
    if bounds.max_per_code is None:
        rows = rows[: bounds.k]
    scores = index.popularity[rows]
    return limited(index, list(zip(rows.tolist(), scores.tolist(), strict=True)), bounds)


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
