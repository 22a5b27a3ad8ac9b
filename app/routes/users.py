"""GET /users: one user, or those that a search finds, where a model knows users."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.browsing_schemas import FoundUsers, UserDetail
from app.dependencies import StoreOf, UserModelOf, UsersOf
from app.errors import documented
from app.services import entities, labels

router = APIRouter(prefix="/users", tags=["users"], responses=documented(404, 422, 503))


@router.get("")
def search_users(
    index: UsersOf,
    search: Annotated[str, Query(max_length=200, description="Part of an id")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> FoundUsers:
    """Users whose id holds the text, in any case; with no text those most often in training."""
    return entities.search_users(index, search, limit)


@router.get("/{user:path}")
def user_detail(
    store: StoreOf,
    index: UsersOf,
    served: UserModelOf,
    user: str,
    similar: Annotated[int, Query(ge=0, le=200)] = 10,
) -> UserDetail:
    """A user's codes and items in training, and the `similar` users closest by cosine."""
    answer = entities.user_detail(index, user, similar)
    answer.history = entities.history(served, user)
    answer.labels = labels.labels_of(answer.codes, store.labels.of(index))
    return answer
