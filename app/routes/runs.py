"""GET /runs: what was trained, how it went, and what is being trained now."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.dependencies import StoreOf
from app.errors import documented
from app.record_schemas import Run, RunMetrics, Runs
from app.services import records

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("", responses=documented(422, 503))
def runs(
    store: StoreOf,
    state: Literal["queued", "running", "finished", "failed"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Runs:
    """Training runs, newest first."""
    return Runs(runs=records.runs(store, state, limit, offset))


@router.get("/{run_id}", responses=documented(404, 422, 503))
def run_detail(store: StoreOf, run_id: str) -> Run:
    """One run with its settings, its state, and the reason where it failed."""
    return records.run_detail(store, run_id)


@router.get("/{run_id}/metrics", responses=documented(404, 422, 503))
def run_metrics(store: StoreOf, run_id: str) -> RunMetrics:
    """Every metric that a run recorded, epoch by epoch."""
    return records.run_metrics(store, run_id)
