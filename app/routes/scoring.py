"""POST /score-clicks."""

from fastapi import APIRouter

from app.dependencies import SettingsOf, StoreOf
from app.errors import documented
from app.schemas import ClickScores, ScoringRequest
from app.services.errors import InvalidError
from app.services.scoring import score_clicks
from cove.recommenders import CLICKS

router = APIRouter(tags=["scoring"])


@router.post(
    "/score-clicks",
    response_model_exclude_none=True,
    responses=documented(404, 413, 422, 503),
)
def score(request: ScoringRequest, store: StoreOf, settings: SettingsOf) -> ClickScores:
    """How likely a user clicks each of the items, in the order given, repeats kept.

    A user or an item that the model does not know is scored as the average one, and marked so.
    """
    most, given = settings.max_items_scored, len(request.items)
    if given > most:
        raise InvalidError("items", f"at most {most} items in a call: got {given}")
    model = store.for_task(request.model, CLICKS)
    return score_clicks(model, request.user, request.items, request.explain)
