"""GET /codes and below: the categories that a model learned, of items or of users."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.browsing_schemas import CodeDetail, CodeItems, Codes, Levels
from app.dependencies import CodesOf
from app.errors import documented
from app.services import browsing

router = APIRouter(prefix="/codes", tags=["codes"], responses=documented(404, 422, 503))


@router.get("", response_model_exclude_none=True)
def levels(index: CodesOf) -> Levels:
    """The levels with their sizes, use and perplexity; none where the model has no codes."""
    return browsing.levels(index)


@router.get("/{level}")
def codes(
    index: CodesOf,
    level: int,
    sort: Literal["code", "size", "popularity"] = "code",
    examples: Annotated[int, Query(ge=0, le=10)] = 3,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Codes:
    """The codes of a level, whole or by `limit` and `offset`, with the most popular of each."""
    return browsing.codes(index, level, sort, examples, limit, offset)


@router.get("/{level}/{code}")
def code_detail(index: CodesOf, level: int, code: int) -> CodeDetail:
    """A code's size, parent, children, the items or users closest to it, the nearest codes."""
    return browsing.code_detail(index, level, code)


@router.get("/{level}/{code}/items")
def code_items(
    index: CodesOf,
    level: int,
    code: int,
    sort: Literal["popularity", "closeness"] = "popularity",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> CodeItems:
    """A code's items, or users; `next` is the cursor of the following page, null at the end."""
    return browsing.code_items(index, level, code, sort, limit, cursor)
