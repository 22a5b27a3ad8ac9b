"""POST /score-clicks."""

from fastapi import APIRouter, Response

from app.dependencies import ServingOf, answer_of, answered, model_for
from app.errors import documented
from app.schemas import ClickScores, ScoringRequest
from app.services.answer_cache import Answer
from app.services.errors import InvalidError
from app.services.scoring import PairsQuestion
from cove.recommenders import CLICKS

router = APIRouter(tags=["scoring"])


@router.post(
    "/score-clicks",
    response_model=ClickScores,
    responses=documented(400, 404, 408, 413, 422, 429, 503),
)
async def score(request: ScoringRequest, serving: ServingOf) -> Response:
    """How likely a user clicks each of the items, in the order given, repeats kept.

    A user or an item that the model does not know is scored as the average one, and marked so.
    """
    most, given = serving.settings.max_items_scored, len(request.items)
    if given > most:
        raise InvalidError("items", f"at most {most} items in a call: got {given}")
    model = await model_for(serving.store, request.model, CLICKS)
    question = PairsQuestion(model, request.user, request.items, request.explain)

    async def make() -> Answer:
        found = await serving.batcher.ask(question)
        unknown = (not found.known_user) + sum(not each.known for each in found.items)
        return answer_of(found, unknown, [found.source])

    return await answered(serving, request, question, model.id, make)
