"""GET /items: one item, or those that a search finds."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.browsing_schemas import FoundItems, ItemDetail
from app.dependencies import ItemsOf, StoreOf
from app.errors import documented
from app.services import entities, labels

router = APIRouter(prefix="/items", tags=["items"], responses=documented(404, 422, 503))


@router.get("")
def search_items(
    index: ItemsOf,
    search: Annotated[str, Query(max_length=200, description="Part of an id or a title")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> FoundItems:
    """Items whose id or title holds the text, in any case; with no text the most popular."""
    return entities.search_items(index, search, limit)


@router.get("/{item:path}")
def item_detail(
    store: StoreOf,
    index: ItemsOf,
    item: str,
    similar: Annotated[int, Query(ge=0, le=200)] = 10,
) -> ItemDetail:
    """An item's codes, title and true categories, and the `similar` items closest by cosine."""
    answer = entities.item_detail(index, item, similar)
    answer.labels = labels.labels_of(answer.codes, store.labels.of(index))
    return answer
