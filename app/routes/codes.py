"""GET /codes and below: the categories that a model learned."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.dependencies import ModelOf
from app.errors import documented
from app.schemas import CodeDetail, Codes, ItemPage, Levels
from app.services import browsing

router = APIRouter(prefix="/codes", tags=["codes"], responses=documented(404, 422, 503))
Entity = Annotated[Literal["item"], Query(description="Whose codes; items are all there is yet")]


@router.get("")
def levels(model: ModelOf, entity: Entity = "item") -> Levels:
    """The levels with their sizes, use and perplexity; none where the model has no codes."""
    return browsing.levels(model)


@router.get("/{level}")
def codes(
    model: ModelOf,
    level: int,
    sort: Literal["code", "size", "popularity"] = "code",
    examples: Annotated[int, Query(ge=0, le=10)] = 3,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    entity: Entity = "item",
) -> Codes:
    """The codes of a level, whole or by `limit` and `offset`, with their most popular items."""
    return browsing.codes(model, level, sort, examples, limit, offset)


@router.get("/{level}/{code}")
def code_detail(model: ModelOf, level: int, code: int, entity: Entity = "item") -> CodeDetail:
    """A code's size, parent, children, the items closest to it, and the nearest codes in use."""
    return browsing.code_detail(model, level, code)


@router.get("/{level}/{code}/items")
def code_items(
    model: ModelOf,
    level: int,
    code: int,
    sort: Literal["popularity", "closeness"] = "popularity",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    entity: Entity = "item",
) -> ItemPage:
    """A code's items; `next` is the cursor of the following page, null at the end."""
    return browsing.code_items(model, level, code, sort, limit, cursor)
