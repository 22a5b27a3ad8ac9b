"""What the registry and the artifacts' manifests say of runs and models."""

import logging
import re
from pathlib import Path

from app.record_schemas import MetricPoint, ModelDetail, ModelSummary, Run, RunMetrics
from app.services.errors import NotFoundError, NotReadyError, shown
from app.services.held_models import check_is
from app.services.model_store import ModelStore
from cove.artifact import Manifest, read_manifest
from cove.errors import ArtifactError
from training.registry.errors import RegistryError
from training.registry.models import Model

_LOG = logging.getLogger("cove.app")
_RUN_ID = re.compile(r"[0-9A-Za-z-]{1,100}")


def runs(store: ModelStore, state: str | None, limit: int, offset: int) -> list[Run]:
    """Training runs, newest first."""
    _mark_dead_runs(store)
    found = store.registry.list_runs(state=state, limit=limit, offset=offset)
    return [Run.model_validate(run) for run in found]


def run_detail(store: ModelStore, run_id: str) -> Run:
    """One run, or NotFoundError."""
    _mark_dead_runs(store)
    run = store.registry.get_run(run_id) if _RUN_ID.fullmatch(run_id) else None
    if run is None:
        raise NotFoundError(f"there is no run {shown(run_id)}; GET /runs lists them")
    return Run.model_validate(run)


def run_metrics(store: ModelStore, run_id: str) -> RunMetrics:
    """The metrics of one run, or NotFoundError."""
    run = run_detail(store, run_id)
    points = store.registry.run_metrics(run.id)
    return RunMetrics(run=run.id, metrics=[MetricPoint.model_validate(point) for point in points])


def models(store: ModelStore) -> list[ModelSummary]:
    """The registered models, newest first."""
    known = store.registry.list_models()
    active = {task: store.registry.active_model(task) for task in {model.task for model in known}}
    return [_summary(model, active[model.task]) for model in known]


def model_detail(store: ModelStore, model_id: str) -> ModelDetail:
    """One model with its manifest, or NotFoundError."""
    model = store.record(model_id)
    summary = _summary(model, store.registry.active_model(model.task))
    return ModelDetail(**summary.model_dump(), manifest=_manifest(model).model_dump(mode="json"))


def card(store: ModelStore, model_id: str) -> str:
    """A model's card as Markdown, or NotFoundError."""
    model = store.record(model_id)
    _manifest(model)
    try:
        return (Path(model.path) / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NotReadyError(f"the card of the model {model.id} cannot be read") from None


def _mark_dead_runs(store: ModelStore) -> None:
    """Show runs that died as such; a registry that can only be read is read all the same."""
    try:
        store.registry.mark_dead_runs()
    except RegistryError as error:
        _LOG.warning("%s; runs that died may be shown as running", error)


def _manifest(model: Model) -> Manifest:
    try:
        manifest = read_manifest(Path(model.path))
    except ArtifactError as error:
        raise NotReadyError(f"the model {model.id} cannot be read: {error}") from None
    check_is(manifest, model)
    return manifest


def changed(model: Model) -> ModelSummary:
    """A model that has just been made the active one of its task."""
    return _summary(model, model)


def _summary(model: Model, active: Model | None) -> ModelSummary:
    return ModelSummary(
        id=model.id,
        task=model.task,
        recommender=model.recommender,
        data_name=model.data_name,
        active=active is not None and model.id == active.id,
        created_at=model.created_at,
        metrics=model.metrics,
        run=model.run_id,
    )
