"""POST /recommend-items."""

from fastapi import APIRouter, Response

from app.dependencies import ServingOf, answer_of, answered, model_for
from app.errors import documented
from app.limits import check_k, check_lengths
from app.schemas import Recommendation, RecommendationRequest
from app.services.answer_cache import Answer
from app.services.recommending import RecommendationOptions, UserQuestion
from cove.recommenders import LISTS, PREFERENCES

router = APIRouter(tags=["recommending"])


@router.post(
    "/recommend-items",
    response_model=Recommendation,
    responses=documented(400, 404, 408, 413, 422, 429, 503),
)
async def recommend(request: RecommendationRequest, serving: ServingOf) -> Response:
    """The best items for a user, without those that the user has; `source` says who chose.

    A user that the model does not know gets what goes with `items`: from the model for lists where
    one is served and knows some of them, else the nearest items; without items the most popular.
    """
    items, settings = request.items or [], serving.settings
    check_k(request.k, settings)
    check_lengths(settings, items=items, exclude=request.exclude, allow=request.allow or [])
    model = await model_for(serving.store, request.model, PREFERENCES)
    options = RecommendationOptions(
        k=request.k,
        exclude=request.exclude,
        allow=request.allow,
        max_per_code=request.max_per_code,
        include_seen=request.include_seen,
        explain=request.explain,
    )
    completer = serving.store.served().get(LISTS)
    question = UserQuestion(model, request.user, items, options, completer)

    async def make() -> Answer:
        found = await serving.batcher.ask(question)
        unknown = (not found.known_user) + len(found.unknown_items or [])
        return answer_of(found, unknown, [found.source])

    models = model.id if completer is None else f"{model.id} {completer.id}"
    return await answered(serving, request, question, models, make)
