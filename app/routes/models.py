"""GET /models: the trained models that the registry knows."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse

from app.dependencies import StoreOf
from app.errors import documented
from app.record_schemas import ModelDetail, Models
from app.services import records

router = APIRouter(prefix="/models", tags=["models"])
ModelId = Annotated[str, Path(description="A model's id, or the start of one that no other has")]


class Markdown(PlainTextResponse):
    """Text in Markdown."""

    media_type = "text/markdown"


@router.get("", responses=documented(422))
def models(store: StoreOf) -> Models:
    """The registered models, newest first; `active` is the one that is served for its task."""
    return Models(models=records.models(store))


@router.get("/{model_id}", responses=documented(404, 422))
def model_detail(store: StoreOf, model_id: ModelId) -> ModelDetail:
    """One model with its whole manifest."""
    return records.model_detail(store, model_id)


@router.get("/{model_id}/card", response_class=Markdown, responses=documented(404, 422))
def card(store: StoreOf, model_id: ModelId) -> str:
    """The model card: data, split, metrics beside the baselines, code use per level."""
    return records.card(store, model_id)
