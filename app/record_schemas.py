"""What the registry knows, as JSON: runs and models."""

from datetime import datetime
from typing import Any, Literal

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
    """Mean share of the served model's first items that are among the other's first, of the answers
    that one of the two chose: those of a fallback are the same whichever is asked."""
    same_first: float | None
    """Share of these answers whose first item is the same."""
    milliseconds: float | None
    """Median of a call, each alone; on a busy server worth only beside the next."""
    active_milliseconds: float | None


class Move(BaseModel):
    """Entities of a code that are in a code of the other model which it is not matched with."""

    code: int
    matched_code: int | None
    """The other model's code that this one is matched with, where one is left for it."""
    other_code: int
    entities: int


class LevelDiff(BaseModel):
    """The same level of two models; pairs of values are the model's and the other's."""

    level: int
    sizes: list[int]
    used: list[int]
    perplexity: list[float]
    stayed: float | None
    """Share of the entities that both know which are in matched codes."""
    adjusted_rand_index: float | None
    """1 where the two put the same entities together, 0 where no more than by chance."""
    moves: list[Move]
    """The largest, those of most entities first."""


class ModelDiff(BaseModel):
    """How two models differ. Codes are matched one to one, by the most entities in common."""

    model: str
    other: str
    entity: Literal["item", "user"]
    in_both: int
    """Entities that both know, looked for among the model's 200,000 most popular."""
    only_in_model: int
    only_in_other: int
    levels: list[LevelDiff]
    """Those that both have."""
    answers: ShadowComparison | None
    """What both answer to sample calls, lists of one item or users: null where their tasks
    differ. `active` is the first model."""
