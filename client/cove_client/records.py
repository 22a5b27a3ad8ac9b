"""What the server tells of runs, of models and of itself."""

from datetime import datetime
from typing import Any, Literal

from cove_client.base import Answer


class Run(Answer):
    """One training run."""

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


class Runs(Answer):
    """Training runs, newest first."""

    runs: list[Run]


class MetricPoint(Answer):
    """A metric of a run after an epoch."""

    epoch: int
    name: str
    value: float


class RunMetrics(Answer):
    """The course of a run."""

    run: str
    metrics: list[MetricPoint]


class ModelSummary(Answer):
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


class Models(Answer):
    """The registered models, newest first."""

    models: list[ModelSummary]


class ShadowComparison(Answer):
    """What a model would have answered to the last calls, beside the model that is served."""

    model: str
    active: str
    task: str
    calls: int
    failed: int
    overlap: float | None
    same_first: float | None
    milliseconds: float | None
    active_milliseconds: float | None


class Health(Answer):
    """Whether the server is ready, and with which models."""

    status: Literal["alive", "ready"]
    model: str | None = None
    models: dict[str, str] | None = None
    problems: dict[str, str] | None = None


class Move(Answer):
    """Entities of a code that went to a code of the other model which is not its match."""

    code: int
    matched_code: int | None
    other_code: int
    entities: int


class LevelDiff(Answer):
    """The same level of two models; pairs of values are the model's and the other's."""

    level: int
    sizes: list[int]
    used: list[int]
    perplexity: list[float]
    stayed: float | None
    adjusted_rand_index: float | None
    moves: list[Move]


class ModelDiff(Answer):
    """How two models differ."""

    model: str
    other: str
    entity: Literal["item", "user"]
    in_both: int
    only_in_model: int
    only_in_other: int
    levels: list[LevelDiff]
    answers: ShadowComparison | None
