"""POST /recommend-items."""

from fastapi import APIRouter

from app.dependencies import SettingsOf, StoreOf
from app.errors import documented
from app.limits import check_k, check_lengths
from app.schemas import Recommendation, RecommendationRequest
from app.services.recommending import RecommendationOptions, recommend_items
from cove.recommenders import LISTS, PREFERENCES

router = APIRouter(tags=["recommending"])


@router.post(
    "/recommend-items",
    response_model_exclude_none=True,
    responses=documented(404, 413, 422, 503),
)
def recommend(
    request: RecommendationRequest, store: StoreOf, settings: SettingsOf
) -> Recommendation:
    """The best items for a user, without those that the user has; `source` says who chose.

    A user that the model does not know gets what goes with `items`: from the model for lists where
    one is served and knows some of them, else the nearest items; without items the most popular.
    """
    items = request.items or []
    check_k(request.k, settings)
    check_lengths(settings, items=items, exclude=request.exclude, allow=request.allow or [])
    model = store.for_task(request.model, PREFERENCES)
    options = RecommendationOptions(
        k=request.k,
        exclude=request.exclude,
        allow=request.allow,
        max_per_code=request.max_per_code,
        include_seen=request.include_seen,
        explain=request.explain,
    )
    return recommend_items(model, request.user, items, options, store.served().get(LISTS))
