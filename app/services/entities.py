"""Reads one item or one user of a model, those most like it, and what a search finds."""

from itertools import islice

import torch

from app.browsing_schemas import (
    FoundItem,
    FoundItems,
    FoundUser,
    FoundUsers,
    ItemDetail,
    ItemSummary,
    SimilarItem,
    SimilarUser,
    UserDetail,
    UserSummary,
)
from app.services.entity_index import EntityIndex, Level
from app.services.errors import NotFoundError, shown
from app.services.served_model import ServedModel

_LONGEST_HISTORY = 100


def summary(index: EntityIndex, row: int, level: Level | None = None) -> ItemSummary | UserSummary:
    """An entity in a row; with a level, how far it lies from its code there."""
    if index.entity == "item":
        return _item(index, row, level)
    return _user(index, row, level)


def _item(index: EntityIndex, row: int, level: Level | None = None) -> ItemSummary:
    return ItemSummary(
        item=index.external(row),
        title=index.title(row),
        popularity=int(index.popularity[row]),
        distance=None if level is None else float(level.distances(torch.tensor([row]))),
    )


def _user(index: EntityIndex, row: int, level: Level | None = None) -> UserSummary:
    return UserSummary(
        user=index.external(row),
        popularity=int(index.popularity[row]),
        distance=None if level is None else float(level.distances(torch.tensor([row]))),
    )


def item_detail(index: EntityIndex, item: str, num_similar: int) -> ItemDetail:
    """One item: what is known of it, its codes, and the items with the closest z_c."""
    row = _row(index, item)
    return ItemDetail(
        model=index.model_id,
        item=index.external(row),
        title=index.title(row),
        categories=index.categories[row] if index.categories else None,
        popularity=int(index.popularity[row]),
        codes=index.codes_of(row),
        similar=[
            SimilarItem(**_item(index, other).model_dump(), similarity=cosine)
            for other, cosine in _similar(index, row, num_similar)
        ],
    )


def user_detail(index: EntityIndex, user: str, num_similar: int) -> UserDetail:
    """One user: codes, occurrences in training, and the users with the closest z_c."""
    row = _row(index, user)
    return UserDetail(
        model=index.model_id,
        user=index.external(row),
        popularity=int(index.popularity[row]),
        codes=index.codes_of(row),
        similar=[
            SimilarUser(**_user(index, other).model_dump(), similarity=cosine)
            for other, cosine in _similar(index, row, num_similar)
        ],
    )


def history(served: ServedModel, user: str) -> list[ItemSummary] | None:
    """The most popular items that a user had in training; None where the model keeps none."""
    if served.seen is None or served.users is None:
        return None
    rows = served.seen.of(_row(served.users, user))
    popularity = served.items.popularity[rows]
    rows = rows[torch.argsort(popularity, descending=True, stable=True)][:_LONGEST_HISTORY]
    return [_item(served.items, row) for row in rows.tolist()]


def _row(index: EntityIndex, external: str) -> int:
    row = index.row_of(external)
    if row is None:
        raise NotFoundError(
            f"the model {index.model_id} does not know the {index.entity} {shown(external)}"
        )
    return row


def _similar(index: EntityIndex, row: int, count: int) -> list[tuple[int, float]]:
    """The rows of the largest cosines with a row's z_c, and these cosines, largest first."""
    if count == 0:
        return []
    cosines = index.cosines(index.directions(torch.tensor([row]))[0])  # [N]
    cosines[row] = -float("inf")
    values, rows = cosines.topk(min(count, len(cosines) - 1))
    return list(zip(rows.tolist(), values.tolist(), strict=True))


def search_items(index: EntityIndex, text: str, limit: int) -> FoundItems:
    """Items whose id or title holds the text: the exact id first, then the most popular."""
    return FoundItems(
        model=index.model_id,
        items=[
            FoundItem(**_item(index, row).model_dump(), codes=index.codes_of(row))
            for row in _found(index, text, limit)
        ],
    )


def search_users(index: EntityIndex, text: str, limit: int) -> FoundUsers:
    """Users whose id holds the text: the exact id first, then those most often in training."""
    return FoundUsers(
        model=index.model_id,
        users=[
            FoundUser(**_user(index, row).model_dump(), codes=index.codes_of(row))
            for row in _found(index, text, limit)
        ],
    )


def _found(index: EntityIndex, text: str, limit: int) -> list[int]:
    return list(islice(index.found(text.strip()), limit))
