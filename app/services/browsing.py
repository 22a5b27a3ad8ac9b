"""Reads the codes that a model learned: its levels, their codes, the items or users of a code."""

import base64
import json
import math

import torch
from torch import Tensor

from app.browsing_schemas import (
    CodeDetail,
    CodeItems,
    Codes,
    CodeSummary,
    CodeTree,
    Levels,
    LevelSummary,
    NearCode,
    TreeLevel,
)
from app.services.entities import summary
from app.services.entity_index import EntityIndex, Level
from app.services.errors import InvalidError, NotFoundError, shown
from cove.quantization import code_use

_REPRESENTATIVES = 10
_NEAREST = 10


def levels(index: EntityIndex) -> Levels:
    """Each level's size, the codes that entities use, and how evenly they use them."""
    uses = code_use(index.codes, tuple(level.size for level in index.levels))
    count = {f"{index.entity}s": len(index.codes)}
    return Levels(
        model=index.model_id,
        entity=index.entity,
        levels=[LevelSummary(**use.model_dump(), **count) for use in uses],
        categories=index.true_categories.names if index.true_categories else None,
    )


def tree(index: EntityIndex) -> CodeTree:
    """Every code of every level, in columns."""
    return CodeTree(
        model=index.model_id,
        entity=index.entity,
        levels=[
            TreeLevel(
                level=level.number,
                sizes=level.sizes.tolist(),
                parents=None if level.parents is None else level.parents.tolist(),
                examples=[
                    None if row is None else index.title(row) or str(index.external(row))
                    for row in level.first_rows()
                ],
            )
            for level in index.levels
        ],
    )


def find_level(index: EntityIndex, number: int) -> Level:
    """Give a level, or raise NotFoundError."""
    if not 1 <= number <= len(index.levels):
        have = f"levels 1 to {len(index.levels)}" if index.levels else "no codes"
        raise NotFoundError(
            f"there is no level {shown(number)}: the model {index.model_id} has {have} of "
            f"{index.entity}s"
        )
    return index.levels[number - 1]


def find_code(index: EntityIndex, number: int, code: int) -> Level:
    """Give the level of a code, or raise NotFoundError."""
    level = find_level(index, number)
    if not 0 <= code < level.size:
        raise NotFoundError(
            f"there is no code {shown(code)} on level {number}: it has codes 0 to {level.size - 1}"
        )
    return level


def codes(
    index: EntityIndex,
    number: int,
    *,
    sort: str,
    descending: bool,
    examples: int,
    limit: int | None,
    offset: int,
) -> Codes:
    """The codes of a level in an order, each with its most popular entities."""
    level = find_level(index, number)
    order = _order(level, sort, descending)
    end = level.size if limit is None else min(offset + limit, level.size)
    return Codes(
        model=index.model_id,
        entity=index.entity,
        level=number,
        total=level.size,
        codes=[_code(index, level, code, examples) for code in order[offset:end].tolist()],
        next=end if end < level.size else None,
    )


def _order(level: Level, sort: str, descending: bool) -> Tensor:
    """[v], codes by number, size, popularity or closeness; by the last, empty ones at the end."""
    keys = {
        "code": lambda: torch.arange(level.size),
        "size": lambda: level.sizes,
        "popularity": lambda: level.popularity,
        "closeness": lambda: level.closeness.nan_to_num(-math.inf if descending else math.inf),
    }
    return torch.argsort(keys[sort](), descending=descending, stable=True)


def _code(
    index: EntityIndex, level: Level, code: int, examples: int = 3, categories: int | None = 3
) -> CodeSummary:
    shares = index.true_categories
    return CodeSummary(
        level=level.number,
        code=code,
        size=int(level.sizes[code]),
        popularity=int(level.popularity[code]),
        closeness=float(level.closeness[code]) if level.sizes[code] else None,
        parent=None if level.parents is None else int(level.parents[code]),
        examples=[summary(index, row) for row in level.rows(code)[:examples].tolist()],
        categories=shares.shares(level, code, categories) if shares else None,
    )


def code_detail(index: EntityIndex, number: int, code: int) -> CodeDetail:
    """One code: its place in the tree, the entities closest to it, the nearest codes in use."""
    level = find_code(index, number, code)
    children: list[CodeSummary] = []
    if number > 1:
        below = index.levels[number - 2]
        assert below.parents is not None
        members = (below.parents == code).nonzero().flatten()
        members = members[torch.argsort(below.sizes[members], descending=True, stable=True)]
        children = [_code(index, below, child) for child in members.tolist()]
    distances = (level.codebook - level.codebook[code]).norm(dim=1)  # [v]
    near = [other for other in distances.argsort().tolist() if other != code and level.sizes[other]]
    closest = level.rows(code, "closeness")[:_REPRESENTATIVES].tolist()
    return CodeDetail(
        **_code(index, level, code, categories=None).model_dump(),
        model=index.model_id,
        entity=index.entity,
        children=children,
        representatives=[summary(index, row, level) for row in closest],
        nearest=[
            NearCode(**_code(index, level, other).model_dump(), distance=float(distances[other]))
            for other in near[:_NEAREST]
        ],
    )


def code_items(
    index: EntityIndex, number: int, code: int, sort: str, limit: int, cursor: str | None
) -> CodeItems:
    """A page of a code's items, or users.

    Raises:
        InvalidError: the cursor is not one that this list gave.
    """
    level = find_code(index, number, code)
    rows = level.rows(code, sort)
    place: list[str | int] = [index.model_id, index.entity, number, code, sort]
    start = 0 if cursor is None else _read_cursor(cursor, place, len(rows))
    end = start + limit
    return CodeItems(
        model=index.model_id,
        entity=index.entity,
        level=number,
        code=code,
        total=len(rows),
        items=[summary(index, row, level) for row in rows[start:end].tolist()],
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
        raise InvalidError("cursor", f"this is not a cursor that this list of {place[1]}s gave")
    return start
