"""What the registry knows, as JSON: runs and models."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Run(BaseModel):
    """One training run, as the registry has it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    task: str
    recommender: str
    data_name: str
    seed: int
    state: str
    reason: str | None
    settings: dict[str, Any]
    epochs: int
    model_id: str | None
    metrics: dict[str, float] | None
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None


class Runs(BaseModel):
    """Training runs, newest first."""

    runs: list[Run]


class MetricPoint(BaseModel):
    """A metric of a run after an epoch."""

    model_config = ConfigDict(from_attributes=True)

    epoch: int
    name: str
    value: float


class RunMetrics(BaseModel):
    """The course of a run."""

    run: str
    metrics: list[MetricPoint]


class ModelSummary(BaseModel):
    """One trained model."""

    id: str
    task: str
    recommender: str
    data_name: str
    active: bool
    created_at: datetime
    metrics: dict[str, dict[str, float]]
    run: str | None


class ModelDetail(ModelSummary):
    """One trained model with its manifest."""

    manifest: dict[str, Any]


class Models(BaseModel):
    """The registered models, newest first."""

    models: list[ModelSummary]


class ShadowComparison(BaseModel):
    """What a model would have answered to the last calls, beside the model that is served."""

    model: str
    active: str
    task: str
    calls: int
    """Calls that were put to both."""
    failed: int
    """Calls that the model could not answer."""
    overlap: float | None
    """Mean share of the served model's first items that are among the other's first."""
    same_first: float | None
    """Share of answers whose first item is the same."""
    milliseconds: float | None
    """Median of a call, each alone; on a busy server worth only beside the next."""
    active_milliseconds: float | None
