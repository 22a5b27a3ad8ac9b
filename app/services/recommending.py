"""Recommends items to a user; whom the model does not know gets what goes with given items.

K items of an answer, S items that the user has, D dimensions. Rows count from 0 without the
special ids.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from app.schemas import NearestSeen, Recommendation, RecommendedItem
from app.services.candidates import (
    Bounds,
    Candidates,
    allowed_mask,
    best,
    known_rows,
    most_popular,
    shared_codes,
)
from app.services.completion import CompletionOptions, complete_lists
from app.services.entity_index import EntityIndex
from app.services.served_model import ServedModel
from cove.batches import pad_lists
from cove.recommenders.preferences import PreferenceModel
from cove.retrieval import Barred, top_items
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId

_NEAREST = 3
_COSINES_AT_ONCE = 1 << 20
"""Cosines held in memory while the nearest of many seen items are found: 4 MiB."""


@dataclass(frozen=True)
class RecommendationOptions(Bounds):
    """What a recommendation may give, and how much it says; fields of RecommendationRequest."""

    include_seen: bool = False
    explain: bool = False


@dataclass(frozen=True)
class UserQuestion:
    """What would this user like? `items`: what the user is further known to have.

    completer: the model that is served for lists; it answers for unknown users.
    """

    model: ServedModel
    user: ExternalId
    items: Sequence[ExternalId]
    options: RecommendationOptions
    completer: ServedModel | None = None

    @property
    def size(self) -> int:
        """One user."""
        return 1

    @property
    def alike(self) -> Hashable:
        """Users who are to be given as many items are scored together."""
        return self.options.alike

    @classmethod
    def answer(cls, questions: Sequence["UserQuestion"]) -> list[Recommendation]:
        """The recommendations, those to known users by one call of the recommender."""
        known = [each for each in questions if each.row is not None]
        chosen = iter(_for_known(known) if known else [])
        return [_for_unknown(each) if each.row is None else next(chosen) for each in questions]

    @cached_property
    def row(self) -> int | None:
        """The user's row; None where the model does not know the user."""
        assert self.model.users is not None
        return self.model.users.row_of(self.user)

    @cached_property
    def given(self) -> Tensor:
        """The rows of the items given."""
        return known_rows(self.model.items, self.items)

    @cached_property
    def has(self) -> Tensor:
        """The rows of all that a known user has, in training or given, perhaps with repeats."""
        seen = self.model.seen
        return self.given if seen is None else torch.cat([seen.of(self.row or 0), self.given])

    def excluded(self, rows: Tensor) -> list[int]:
        """The indices of rows and of what the options exclude."""
        vocabulary = self.model.items.vocabulary
        return (rows + NUM_SPECIAL).tolist() + vocabulary.encode(self.options.exclude)[0]


def recommend_items(
    model: ServedModel,
    user: ExternalId,
    items: Sequence[ExternalId],
    options: RecommendationOptions,
    completer: ServedModel | None = None,
) -> Recommendation:
    """The best items for a user; given ones, and by default those of training, are left out.

    Raises:
        NotReadyError: the model gives no number for a user: its weights are not finite.
    """
    (answer,) = UserQuestion.answer([UserQuestion(model, user, items, options, completer)])
    return answer


def _for_known(questions: Sequence[UserQuestion]) -> list[Recommendation]:
    """Answers to questions that share a model and their bounds."""
    model, options = questions[0].model, questions[0].options
    assert isinstance(model.recommender, PreferenceModel)
    users = torch.tensor([each.row or 0 for each in questions]) + NUM_SPECIAL
    barred = [
        each.excluded(each.given if each.options.include_seen else each.has) for each in questions
    ]
    top = model.recommender.top
    chosen = _best(
        model.items, lambda places, k, barred: top(users[places], k, barred), barred, options
    )
    return [_known(each, found) for each, found in zip(questions, chosen, strict=True)]


@torch.inference_mode()
def _best(
    index: EntityIndex,
    top_of: Callable[[slice, int, Barred], tuple[Tensor, Tensor]],
    excluded: Sequence[Sequence[int]],
    bounds: Bounds,
) -> list[Candidates]:
    """The best that `top_of` gives, k of them but for what is barred, for each row of the indices
    `excluded`."""
    mask = allowed_mask(index, bounds)
    barred = Barred(pad_lists(excluded), mask)

    def top(places: slice, k: int) -> tuple[Tensor, Tensor]:
        indices, values = top_of(places, k, barred.of(places))
        return indices.masked_fill(values == -torch.inf, PAD), values

    return best(index, top, mask, bounds)


def _known(question: UserQuestion, candidates: Candidates) -> Recommendation:
    model, options = question.model, question.options
    assert model.users is not None
    assert question.row is not None
    left_out: Literal["left_out", "not_kept"] = "not_kept" if model.seen is None else "left_out"
    return Recommendation(
        user=model.users.external(question.row),
        known_user=True,
        user_codes=model.users.codes_of(question.row) if options.explain else None,
        items=_items(model.items, candidates, question.has, options.explain),
        source="model",
        seen="included" if options.include_seen else left_out,
        unknown_items=_unknown(model.items, question.items),
        model=model.id,
    )


def _for_unknown(question: UserQuestion) -> Recommendation:
    """The list completer's answer where it knows one of the items; else those near to them; else
    the most popular."""
    source: Literal["completion", "nearest_items", "popularity"]
    model, options, completer = question.model, question.options, question.completer
    barred = question.excluded(question.given)
    if completer is not None and len(known_rows(completer.items, question.items)):
        source, model = "completion", completer
        candidates = _completed(completer, question.items, options)
    elif len(question.given):
        source = "nearest_items"
        closeness = _closeness(model, question.given)[None]  # [1, N]

        def closest(_: slice, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
            return top_items(barred.bar(closeness), k)

        (candidates,) = _best(model.items, closest, [barred], options)
    else:
        source = "popularity"
        candidates = most_popular(model.items, barred, options)
    has = known_rows(model.items, question.items)
    return Recommendation(
        user=question.user,
        known_user=False,
        items=_items(model.items, candidates, has, options.explain),
        source=source,
        unknown_items=_unknown(model.items, question.items),
        model=model.id,
    )


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
        return model.items.cosines(own.mean(dim=0))


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
    theirs = index.directions(owned)  # [S, D]
    nearest = []
    size = max(1, _COSINES_AT_ONCE // max(1, len(owned)))
    for part in (rows[start : start + size] for start in range(0, len(rows), size)):
        cosines = index.directions(part) @ theirs.T  # [K, S]
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
