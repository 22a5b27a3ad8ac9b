"""How two models differ: which entities went to another code, and what both answer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.record_schemas import LevelDiff, ModelDiff, Move, ShadowComparison
from app.services import shadow
from app.services.completion import CompletionOptions, ListsQuestion
from app.services.entity_index import Entity, EntityIndex, Level
from app.services.errors import ConflictError
from app.services.recommending import RecommendationOptions, UserQuestion
from app.services.scoring import PairsQuestion
from app.services.served_model import ServedModel
from cove.agreement import Memberships, adjusted_rand_index, contingency
from cove.quantization import code_use
from cove.recommenders import CLICKS, LISTS

_MOST = 200_000
"""Entities that are looked for in the other model: the most popular of the first."""
_ASKED = 50
"""Lists or users that both models are asked about."""
_CANDIDATES = 100
"""Items that are ranked for a user by the probability of a click."""


def diff(one: ServedModel, other: ServedModel, entity: Entity, k: int, moves: int) -> ModelDiff:
    """Compare the codes of the entities that both models know, and the answers to sample calls.

    Raises:
        ConflictError: both are the same model.
        InvalidError: one of them does not know this entity.
    """
    if one.id == other.id:
        raise ConflictError(f"{one.id} does not differ from itself: name another model")
    indexes = one.index(entity), other.index(entity)
    rows = _common(*indexes)
    pairs = zip(*(index.levels for index in indexes), strict=False)
    return ModelDiff(
        model=one.id,
        other=other.id,
        entity=entity,
        in_both=len(rows[0]),
        only_in_model=len(indexes[0].vocabulary) - len(rows[0]),
        only_in_other=len(indexes[1].vocabulary) - len(rows[1]),
        levels=[_level(mine, theirs, rows, moves) for mine, theirs in pairs],
        answers=_answers(one, other, k),
    )


def _common(one: EntityIndex, other: EntityIndex) -> tuple[Tensor, Tensor]:
    """The rows in each of the entities that both know, of the first's most popular."""
    listed = one.most_popular[:_MOST].tolist()
    found = [(row, other.row_of(one.external(row))) for row in listed]
    both = [(row, place) for row, place in found if place is not None]
    rows, places = zip(*both, strict=True) if both else ((), ())
    return torch.tensor(rows, dtype=torch.int64), torch.tensor(places, dtype=torch.int64)


def _level(mine: Level, theirs: Level, rows: tuple[Tensor, Tensor], moves: int) -> LevelDiff:
    """Codes of the same level; each of mine is matched with one of theirs at most, those that
    have most entities in common first."""
    codes, others = mine.codes[rows[0]], theirs.codes[rows[1]]
    as_categories = Memberships(
        names=[str(code) for code in range(theirs.size)],
        rows=torch.arange(len(codes)),
        categories=others.long(),
        shares=torch.ones(len(codes), dtype=torch.float64),
    )
    table = contingency(codes.long(), mine.size, as_categories)
    order = table.counts.argsort(descending=True, stable=True)
    cells = list(
        zip(*(t[order].tolist() for t in (table.codes, table.categories, table.counts)),
            strict=True)
    )  # fmt: skip
    matched = _matched(cells)
    stayed = sum(count for code, place, count in cells if matched.get(code) == place)
    moved = [cell for cell in cells if matched.get(cell[0]) != cell[1]]
    sides = (mine, theirs)
    uses = [code_use(side.codes[:, None], (side.size,))[0] for side in sides]
    return LevelDiff(
        level=mine.number,
        sizes=[side.size for side in sides],
        used=[use.used for use in uses],
        perplexity=[use.perplexity for use in uses],
        stayed=stayed / len(codes) if len(codes) else None,
        adjusted_rand_index=adjusted_rand_index(table) if len(codes) else None,
        moves=[
            Move(code=code, matched_code=matched.get(code), other_code=place, entities=count)
            for code, place, count in moved[:moves]
        ],
    )


def _matched(cells: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    """One code of theirs for each of mine, the largest overlaps first."""
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for code, other, _ in cells:
        if code not in matched and other not in taken:
            matched[code] = other
            taken.add(other)
    return matched


def _answers(one: ServedModel, other: ServedModel, k: int) -> ShadowComparison | None:
    """How far both answer sample calls alike; None where they are for other tasks, or share no
    items or users to be asked about."""
    if one.task != other.task:
        return None
    items = _spread(one.items, other.items, _CANDIDATES if one.task == CLICKS else _ASKED)
    if one.task == LISTS:
        options = CompletionOptions(k=k)
        calls = [ListsQuestion(one, [[item]], options) for item in items]
        return shadow.compare(one, other, calls, k) if calls else None
    if one.users is None or other.users is None or not items:
        return None
    users = _spread(one.users, other.users, _ASKED)
    if one.task == CLICKS:
        pairs = [PairsQuestion(one, user, items) for user in users]
        return shadow.compare(one, other, pairs, k) if pairs else None
    wanted = RecommendationOptions(k=k)
    asked = [UserQuestion(one, user, (), wanted) for user in users]
    return shadow.compare(one, other, asked, k) if asked else None


def _spread(one: EntityIndex, other: EntityIndex, count: int) -> list[str | int]:
    """At most so many ids that both know, at equal steps from the most to the least popular."""
    order = one.most_popular
    steps = torch.linspace(0, max(0, len(order) - 1), min(4 * count, len(order))).long()
    ids = [one.external(row) for row in order[steps].tolist()]
    known = [each for each in dict.fromkeys(ids) if other.row_of(each) is not None]
    return known[:: max(1, len(known) // count)][:count]
