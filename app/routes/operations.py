"""GET /livez, /readyz and /metrics, for whatever watches the server."""

from typing import Any

from fastapi import APIRouter, Response

from app import metrics
from app.dependencies import StoreOf
from app.errors import documented
from app.schemas import Health

router = APIRouter(tags=["operations"])
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics"}
}


@router.get("/livez", response_model_exclude_none=True)
async def livez() -> Health:
    """Whether the process answers."""
    return Health(status="alive")


@router.get("/readyz", response_model_exclude_none=True, responses=documented(503))
async def readyz(store: StoreOf) -> Health:
    """Whether any model is served, and which; 503 says what to do where none is."""
    return Health(
        status="ready",
        model=store.browsed().id,
        models={task: model.id for task, model in store.served().items()},
        problems=store.problems() or None,
    )


@router.get("/metrics", response_class=Response, responses=_METRICS)
def prometheus(store: StoreOf) -> Response:
    """What Prometheus reads: calls, batches, queues, unknown ids, the served models."""
    return Response(metrics.exposition(store.served()), media_type=metrics.MEDIA_TYPE)
