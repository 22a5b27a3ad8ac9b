"""Reads what a model learned: its levels, its codes, the items of a code, an item's neighbours."""

import base64
import json

import torch

from app.schemas import (
    CodeDetail,
    Codes,
    CodeSummary,
    FoundItem,
    FoundItems,
    ItemDetail,
    ItemPage,
    ItemSummary,
    Levels,
    LevelSummary,
    NearCode,
    SimilarItem,
)
from app.services.errors import InvalidError, NotFoundError, shown
from app.services.served_model import Level, ServedModel
from cove.quantization import code_use
from cove.vocabulary import NUM_SPECIAL

_REPRESENTATIVES = 10
_NEAREST = 10


def levels(model: ServedModel) -> Levels:
    """Each level's size, the codes that items use, and how evenly they use them."""
    uses = code_use(model.codes, tuple(level.size for level in model.levels))
    return Levels(
        model=model.id,
        levels=[LevelSummary(**use.model_dump(), items=len(model.codes)) for use in uses],
    )


def find_level(model: ServedModel, number: int) -> Level:
    """Give a level, or raise NotFoundError."""
    if not 1 <= number <= len(model.levels):
        have = f"levels 1 to {len(model.levels)}" if model.levels else "no codes"
        raise NotFoundError(f"there is no level {shown(number)}: the model {model.id} has {have}")
    return model.levels[number - 1]


def _find_code(model: ServedModel, number: int, code: int) -> Level:
    level = find_level(model, number)
    if not 0 <= code < level.size:
        raise NotFoundError(
            f"there is no code {shown(code)} on level {number}: it has codes 0 to {level.size - 1}"
        )
    return level


def codes(
    model: ServedModel, number: int, sort: str, examples: int, limit: int | None, offset: int
) -> Codes:
    """The codes of a level by number, size or popularity, each with its most popular items."""
    level = find_level(model, number)
    order = torch.arange(level.size)
    if sort != "code":
        key = level.sizes if sort == "size" else level.popularity
        order = torch.argsort(key, descending=True, stable=True)
    end = level.size if limit is None else min(offset + limit, level.size)
    return Codes(
        model=model.id,
        level=number,
        total=level.size,
        codes=[_code(model, level, code, examples) for code in order[offset:end].tolist()],
        next=end if end < level.size else None,
    )


def _code(model: ServedModel, level: Level, code: int, examples: int = 3) -> CodeSummary:
    return CodeSummary(
        level=level.number,
        code=code,
        size=int(level.sizes[code]),
        popularity=int(level.popularity[code]),
        parent=None if level.parents is None else int(level.parents[code]),
        examples=[_item(model, row) for row in level.rows(code)[:examples].tolist()],
    )


def _item(model: ServedModel, row: int, level: Level | None = None) -> ItemSummary:
    return ItemSummary(
        item=model.external(row),
        title=model.title(row),
        popularity=int(model.popularity[row]),
        distance=None if level is None else float(level.distances[row]),
    )


def code_detail(model: ServedModel, number: int, code: int) -> CodeDetail:
    """One code: its place in the tree, the items closest to it, the nearest codes in use."""
    level = _find_code(model, number, code)
    children: list[CodeSummary] = []
    if number > 1:
        below = model.levels[number - 2]
        assert below.parents is not None
        members = (below.parents == code).nonzero().flatten()
        members = members[torch.argsort(below.sizes[members], descending=True, stable=True)]
        children = [_code(model, below, child) for child in members.tolist()]
    distances = (level.codebook - level.codebook[code]).norm(dim=1)  # [v]
    near = [other for other in distances.argsort().tolist() if other != code and level.sizes[other]]
    closest = level.rows(code, "closeness")[:_REPRESENTATIVES].tolist()
    return CodeDetail(
        **_code(model, level, code).model_dump(),
        model=model.id,
        children=children,
        representatives=[_item(model, row, level) for row in closest],
        nearest=[
            NearCode(**_code(model, level, other).model_dump(), distance=float(distances[other]))
            for other in near[:_NEAREST]
        ],
    )


def code_items(
    model: ServedModel, number: int, code: int, sort: str, limit: int, cursor: str | None
) -> ItemPage:
    """A page of a code's items.

    Raises:
        InvalidError: the cursor is not one that this list of items gave.
    """
    level = _find_code(model, number, code)
    rows = level.rows(code, sort)
    place: list[str | int] = [model.id, number, code, sort]
    start = 0 if cursor is None else _read_cursor(cursor, place, len(rows))
    end = start + limit
    return ItemPage(
        model=model.id,
        level=number,
        code=code,
        total=len(rows),
        items=[_item(model, row, level) for row in rows[start:end].tolist()],
        next=_cursor([*place, end]) if end < len(rows) else None,
    )


def _cursor(place: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, place: list[str | int], total: int) -> int:
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        *where, start = content
    except (ValueError, TypeError, RecursionError):
        where, start = [], None
    if where != place or type(start) is not int or not 0 <= start <= total:
        raise InvalidError("cursor", "this is not a cursor that this list of items gave")
    return start


def item_detail(model: ServedModel, item: str, num_similar: int) -> ItemDetail:
    """One item: what is known of it, its codes, and the items with the closest z_c."""
    index = model.vocabulary.index_of(item)
    if index is None:
        raise NotFoundError(f"the model {model.id} does not know the item {shown(item)}")
    row = index - NUM_SPECIAL
    cosines = model.directions @ model.directions[row]  # [N]
    cosines[row] = -torch.inf
    values, rows = cosines.topk(min(num_similar, len(cosines) - 1))
    return ItemDetail(
        model=model.id,
        item=model.external(row),
        title=model.title(row),
        categories=model.categories[row] if model.categories else None,
        popularity=int(model.popularity[row]),
        codes=model.item_codes(row),
        similar=[
            SimilarItem(**_item(model, other).model_dump(), similarity=cosine)
            for other, cosine in zip(rows.tolist(), values.tolist(), strict=True)
        ],
    )


def search_items(model: ServedModel, text: str, limit: int) -> FoundItems:
    """Items whose id or title holds the text: the exact id first, then the most popular."""
    wanted = text.strip().casefold()
    rows = model.most_popular.tolist()
    if wanted:
        rows = [row for row in rows if any(wanted in text for text in model.searched[row])]
        rows.sort(key=lambda row: model.searched[row][0] != wanted)  # stable: popularity stays
    return FoundItems(
        model=model.id,
        items=[
            FoundItem(**_item(model, row).model_dump(), codes=model.item_codes(row))
            for row in rows[:limit]
        ],
    )
