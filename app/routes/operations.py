"""GET /livez and /readyz, for whatever watches the server."""

from fastapi import APIRouter

from app.dependencies import StoreOf
from app.errors import documented
from app.schemas import Health

router = APIRouter(tags=["operations"])


@router.get("/livez", response_model_exclude_none=True)
def livez() -> Health:
    """Whether the process answers."""
    return Health(status="alive")


@router.get("/readyz", response_model_exclude_none=True, responses=documented(503))
def readyz(store: StoreOf) -> Health:
    """Whether any model is served, and which; 503 says what to do where none is."""
    return Health(
        status="ready",
        model=store.browsed().id,
        models={task: model.id for task, model in store.served().items()},
        problems=store.problems() or None,
    )
