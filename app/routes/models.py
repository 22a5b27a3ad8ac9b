"""GET /models: the trained models that the registry knows; POST to serve one of them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse

from app.dependencies import RecentOf, StoreOf
from app.errors import documented
from app.record_schemas import ModelDetail, ModelDiff, Models, ModelSummary, ShadowComparison
from app.security import NeedsAdmin
from app.services import model_diff, records, shadow
from app.services.entity_index import Entity

router = APIRouter(prefix="/models", tags=["models"])
ModelId = Annotated[str, Path(description="A model's id, or the start of one that no other has")]

TaskName = Literal["list_completion", "click_through", "collaborative_filtering"]


class Markdown(PlainTextResponse):
    """Text in Markdown."""

    media_type = "text/markdown"


@router.get("", responses=documented(422, 503))
def models(store: StoreOf) -> Models:
    """The registered models, newest first; `active` is the one that is served for its task."""
    return Models(models=records.models(store))


@router.get("/{model_id}", responses=documented(404, 422, 503))
def model_detail(store: StoreOf, model_id: ModelId) -> ModelDetail:
    """One model with its whole manifest."""
    return records.model_detail(store, model_id)


@router.get("/{model_id}/card", response_class=Markdown, responses=documented(404, 422, 503))
def card(store: StoreOf, model_id: ModelId) -> str:
    """The model card: data, split, metrics beside the baselines, code use per level."""
    return records.card(store, model_id)


@router.get("/{model_id}/diff/{other_id}", responses=documented(404, 409, 422, 503))
def diff(
    store: StoreOf,
    model_id: ModelId,
    other_id: ModelId,
    entity: Annotated[Entity, Query(description="Whose codes")] = "item",
    k: Annotated[int, Query(ge=1, le=100, description="The first items that are compared")] = 10,
    moves: Annotated[int, Query(ge=0, le=1000, description="Moves of each level")] = 20,
) -> ModelDiff:
    """How items or users moved between codes, the codes' use, and how far both answer alike."""
    one, other = store.to_browse(model_id, entity), store.to_browse(other_id, entity)
    return model_diff.diff(one, other, entity, k, moves)


@router.post("/rollback", responses=documented(403, 409, 422, 503))
def rollback(
    store: StoreOf,
    _: NeedsAdmin,
    task: Annotated[
        TaskName | None, Query(description="May be left out where models of one task are served")
    ] = None,
) -> ModelSummary:
    """Serve the model that was active for the task before; needs the admin key."""
    return records.changed(store.rollback(task))


@router.post("/{model_id}/activate", responses=documented(403, 404, 409, 422, 503))
def activate(store: StoreOf, _: NeedsAdmin, model_id: ModelId) -> ModelSummary:
    """Serve this model for its task; needs the admin key. One that cannot be read is refused.

    Calls in progress end with the model that they began with; other workers follow within seconds.
    """
    return records.changed(store.activate(model_id))


@router.post("/{model_id}/compare", responses=documented(403, 404, 409, 422, 503))
def compare(
    store: StoreOf,
    recent: RecentOf,
    _: NeedsAdmin,
    model_id: ModelId,
    k: Annotated[int, Query(ge=1, le=1000, description="The first items that are compared")] = 10,
) -> ShadowComparison:
    """Put the last calls to this model and to the served one, and say how far they agree.

    Nothing is changed; the calls are those that this worker answered with the served model, from
    its memory. Needs the admin key.
    """
    candidate = store.candidate(model_id)
    active = store.active(candidate.task)
    return shadow.compare(active, candidate, recent.of(active), k)
