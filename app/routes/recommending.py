"""POST /recommend-items."""

from fastapi import APIRouter, Response

from app.dependencies import BatcherOf, SettingsOf, StoreOf, json_answer, model_for
from app.errors import documented
from app.limits import check_k, check_lengths
from app.metrics import FALLBACKS, UNKNOWN_IDS
from app.schemas import Recommendation, RecommendationRequest
from app.services.recommending import RecommendationOptions, UserQuestion
from cove.recommenders import LISTS, PREFERENCES

router = APIRouter(tags=["recommending"])


@router.post(
    "/recommend-items",
    response_model=Recommendation,
    responses=documented(404, 408, 413, 422, 429, 503),
)
async def recommend(
    request: RecommendationRequest, store: StoreOf, settings: SettingsOf, batcher: BatcherOf
) -> Response:
    """The best items for a user, without those that the user has; `source` says who chose.

    A user that the model does not know gets what goes with `items`: from the model for lists where
    one is served and knows some of them, else the nearest items; without items the most popular.
    """
    items = request.items or []
    check_k(request.k, settings)
    check_lengths(settings, items=items, exclude=request.exclude, allow=request.allow or [])
    model = await model_for(store, request.model, PREFERENCES)
    options = RecommendationOptions(
        k=request.k,
        exclude=request.exclude,
        allow=request.allow,
        max_per_code=request.max_per_code,
        include_seen=request.include_seen,
        explain=request.explain,
    )
    completer = store.served().get(LISTS)
    answer = await batcher.ask(UserQuestion(model, request.user, items, options, completer))
    UNKNOWN_IDS.labels(PREFERENCES).inc((not answer.known_user) + len(answer.unknown_items or []))
    if answer.source != "model":
        FALLBACKS.labels(answer.source).inc()
    return json_answer(answer)
