"""Recommends items to a user; whom the model does not know gets what goes with given items.

K items of an answer, S items that the user has, D dimensions. Rows count from 0 without the
special ids.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.schemas import NearestSeen, Recommendation, RecommendedItem
from app.services.candidates import (
    Bounds,
    Candidates,
    best,
    forbidden_rows,
    known_rows,
    most_popular,
    shared_codes,
)
from app.services.completion import CompletionOptions, complete_lists
from app.services.entity_index import EntityIndex
from app.services.errors import NotReadyError
from app.services.served_model import ServedModel
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, ExternalId

_NEAREST = 3
_COSINES_AT_ONCE = 1 << 20
"""Cosines held in memory while the nearest of many seen items are found: 4 MiB."""


@dataclass(frozen=True)
class RecommendationOptions(Bounds):
    """What a recommendation may give, and how much it says; fields of RecommendationRequest."""

    include_seen: bool = False
    explain: bool = False


def recommend_items(
    model: ServedModel,
    user: ExternalId,
    items: Sequence[ExternalId],
    options: RecommendationOptions,
    completer: ServedModel | None = None,
) -> Recommendation:
    """The best items for a user; given ones, and by default those of training, are left out.

    items: what the user is further known to have; an unknown user is judged by it alone.
    completer: the model that is served for lists; it answers for unknown users.

    Raises:
        NotReadyError: the model gives no number for a user: its weights are not finite.
    """
    assert model.users is not None
    row = model.users.row_of(user)
    if row is None:
        return _for_unknown(model, user, items, options, completer)
    index, seen = model.items, model.seen
    given = known_rows(index, items)
    has = given if seen is None else torch.cat([seen.of(row), given])
    forbidden = forbidden_rows(index, options)
    forbidden[given if options.include_seen else has] = True
    candidates = _numbers(model, best(index, _scores(model, row), forbidden, options))
    left_out: Literal["left_out", "not_kept"] = "not_kept" if seen is None else "left_out"
    return Recommendation(
        user=model.users.external(row),
        known_user=True,
        user_codes=model.users.codes_of(row) if options.explain else None,
        items=_items(index, candidates, has, options.explain),
        source="model",
        seen="included" if options.include_seen else left_out,
        unknown_items=_unknown(index, items),
        model=model.id,
    )


def _for_unknown(
    model: ServedModel,
    user: ExternalId,
    items: Sequence[ExternalId],
    options: RecommendationOptions,
    completer: ServedModel | None,
) -> Recommendation:
    """The list completer's answer where it knows one of the items; else those near to them; else
    the most popular."""
    source: Literal["completion", "nearest_items", "popularity"]
    if completer is not None and len(known_rows(completer.items, items)):
        source, model = "completion", completer
        candidates = _completed(completer, items, options)
    else:
        forbidden = forbidden_rows(model.items, options)
        given = known_rows(model.items, items)
        forbidden[given] = True
        if len(given):
            source = "nearest_items"
            closeness = _closeness(model, given)
            candidates = _numbers(model, best(model.items, closeness, forbidden, options))
        else:
            source = "popularity"
            candidates = most_popular(model.items, forbidden, options)
    has = known_rows(model.items, items)
    return Recommendation(
        user=user,
        known_user=False,
        items=_items(model.items, candidates, has, options.explain),
        source=source,
        unknown_items=_unknown(model.items, items),
        model=model.id,
    )


def _scores(model: ServedModel, user: int) -> Tensor:
    """The scores of all items for the row of a user, [N]."""
    assert isinstance(model.recommender, PreferenceModel)
    with torch.inference_mode():
        return model.recommender.score_all(torch.tensor([user + NUM_SPECIAL]))[0]


def _numbers(model: ServedModel, candidates: Candidates) -> Candidates:
    if not all(math.isfinite(score) for _, score in candidates):  # a NaN comes before all numbers
        raise NotReadyError(f"the model {model.id} gives no number for a user: train it again")
    return candidates


def _completed(
    completer: ServedModel, items: Sequence[ExternalId], options: RecommendationOptions
) -> Candidates:
    bounds = CompletionOptions(options.k, options.exclude, options.allow, options.max_per_code)
    (completion,) = complete_lists(completer, [items], bounds)
    rows = known_rows(completer.items, [each.item for each in completion.items]).tolist()
    return [(row, each.score) for row, each in zip(rows, completion.items, strict=True)]


def _closeness(model: ServedModel, given: Tensor) -> Tensor:
    """The cosine of each item's z_c with the mean of those of the rows `given`, [N]."""
    assert isinstance(model.recommender, PreferenceModel)
    with torch.inference_mode():
        own = model.recommender.items(given + NUM_SPECIAL)  # [G, D]
        return model.items.directions @ torch.nn.functional.normalize(own.mean(dim=0), dim=0)


def _unknown(index: EntityIndex, items: Sequence[ExternalId]) -> list[ExternalId] | None:
    return index.vocabulary.encode(items)[1] if items else None


def _items(
    index: EntityIndex, candidates: Candidates, has: Tensor, explain: bool
) -> list[RecommendedItem]:
    """Candidates in words; has: the rows of what the user has, [S], perhaps with repeats."""
    items = [
        RecommendedItem(item=index.external(row), score=score, title=index.title(row))
        for row, score in candidates
    ]
    if explain:
        rows = torch.tensor([row for row, _ in candidates], dtype=torch.int64)
        owned = torch.unique(has)
        shared = shared_codes(index, rows, owned) - torch.isin(rows, owned).long()[:, None]
        nearest = _nearest(index, rows, owned)
        for place, item in enumerate(items):
            item.codes = index.codes_of(int(rows[place]))
            counts = enumerate(shared[place].tolist(), start=1)
            item.shared_codes = {str(level): count for level, count in counts}
            item.nearest_seen = nearest[place]
    return items


def _nearest(index: EntityIndex, rows: Tensor, owned: Tensor) -> list[list[NearestSeen]]:
    """Of each of `rows` [K], those of the rows `owned` [S] that are closest to it, itself not."""
    theirs = index.directions[owned]  # [S, D]
    nearest = []
    size = max(1, _COSINES_AT_ONCE // max(1, len(owned)))
    for part in (rows[start : start + size] for start in range(0, len(rows), size)):
        cosines = index.directions[part] @ theirs.T  # [K, S]
        cosines[part[:, None] == owned] = -torch.inf
        values, places = cosines.topk(min(_NEAREST, len(owned)), dim=1)
        nearest += [
            [
                NearestSeen(item=index.external(row), title=index.title(row), similarity=cosine)
                for row, cosine in zip(found, cosines_of, strict=True)
                if cosine > -torch.inf
            ]
            for found, cosines_of in zip(owned[places].tolist(), values.tolist(), strict=True)
        ]
    return nearest
