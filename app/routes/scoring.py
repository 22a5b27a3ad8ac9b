"""POST /score-clicks."""

from fastapi import APIRouter, Response

from app.dependencies import (
    BatcherOf,
    CacheOf,
    RecentOf,
    SettingsOf,
    StoreOf,
    json_answer,
    model_for,
)
from app.errors import documented
from app.metrics import FALLBACKS, UNKNOWN_IDS
from app.schemas import ClickScores, ScoringRequest
from app.services.errors import InvalidError
from app.services.scoring import PairsQuestion
from cove.recommenders import CLICKS

router = APIRouter(tags=["scoring"])


@router.post(
    "/score-clicks",
    response_model=ClickScores,
    responses=documented(400, 404, 408, 413, 422, 429, 503),
)
async def score(
    request: ScoringRequest,
    store: StoreOf,
    settings: SettingsOf,
    batcher: BatcherOf,
    cache: CacheOf,
    recent: RecentOf,
) -> Response:
    """How likely a user clicks each of the items, in the order given, repeats kept.

    A user or an item that the model does not know is scored as the average one, and marked so.
    """
    most, given = settings.max_items_scored, len(request.items)
    if given > most:
        raise InvalidError("items", f"at most {most} items in a call: got {given}")
    model = await model_for(store, request.model, CLICKS)
    question = PairsQuestion(model, request.user, request.items, request.explain)

    async def answer() -> ClickScores:
        found = await batcher.ask(question)
        if request.model is None:
            recent.add(question)
        unknown = sum(not each.known for each in found.items)
        UNKNOWN_IDS.labels(CLICKS).inc((not found.known_user) + unknown)
        if found.source != "model":
            FALLBACKS.labels(found.source).inc()
        return found

    return await json_answer(cache, request, model.id, answer)
