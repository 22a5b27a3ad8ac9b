"""One run, from raw lists to a registered artifact."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from cove.artifact import (
    MANIFEST,
    Manifest,
    check_output,
    read_artifact,
    read_manifest,
    write_artifact,
)
from cove.errors import CoveError, SettingsError
from training.checkpoint import Progress, read_standing, remove_checkpoint
from training.cooccurrence import regroup_codes
from training.datasets import Data, load_data
from training.errors import TrainingError, enough_memory
from training.item_index import index_of_items
from training.linear_part import add_linear_part
from training.loop import LoopPlan, Watcher, entity_code_use, train
from training.one_run import only_run_at
from training.parallel import ALONE, Processes
from training.preparing import Prepared, pick_device, prepare_run
from training.registry.artifacts import holds
from training.registry.queries import Registry
from training.run_settings import RunSettings
from training.sharding import shard_tables
from training.watching import Silence


@dataclass(frozen=True)
class Place:
    """Where a run reads, writes and computes."""

    data_directory: Path | None
    output: Path
    device: str = "auto"
    restart: bool = False
    """Begin again where a checkpoint of this run, or of another, is in the way."""
    overwrite: bool = False
    """Replace another model's artifact at `output`."""
    codes_from: Path | None = None
    """Artifact of the model that `RunSettings.codes_from` names."""

    @property
    def checkpoint(self) -> Path:
        """The run's checkpoint, beside the artifact to be."""
        return self.output.with_name(f".{self.output.name}.checkpoint")


def run_training(
    settings: RunSettings,
    place: Place,
    registry: Registry,
    watcher: Watcher,
    data: Data | None = None,
    processes: Processes = ALONE,
) -> Manifest:
    """Train, evaluate, write the artifact and register it; resumes where a kill left off.

    data: the filtered data, where they are loaded already; processes: those that train together, of
    which this must be the first (the others are in `follow_training`).

    Raises:
        CoveError: one sentence on what is wrong with the data, the settings or the place.
    """
    check_output(place.output)
    with only_run_at(place.output):
        return _run(settings, place, registry, watcher, data, processes)


def _run(
    settings: RunSettings,
    place: Place,
    registry: Registry,
    watcher: Watcher,
    data: Data | None,
    processes: Processes,
) -> Manifest:
    if data is None:
        data = load_data(settings.data, place.data_directory, settings.filter)
    fingerprint = settings.fingerprint(data.sha256)
    done = _already_trained(place, fingerprint)
    if done is not None:
        processes.agree(None)
        _register(registry, done, place)
        remove_checkpoint(place.checkpoint)
        return done
    run_id = _resumable_run(place, fingerprint)
    device = pick_device(place.device, processes.local_rank)
    with enough_memory():
        prepared = prepare_run(settings, data, device, place.codes_from, watcher)
    run_id = registry.start_run(
        task=prepared.task.name,
        recommender=settings.recommender,
        data_name=data.name,
        seed=settings.seed,
        settings=prepared.settings.model_dump(mode="json"),
        settings_hash=fingerprint,
        output=str(place.output),
        run_id=run_id,
    )
    try:
        plan = processes.agree(_plan(prepared, place, fingerprint, run_id))
        recorder = _Recorder(registry, run_id, watcher)
        with enough_memory():
            progress = _train(prepared, plan, processes, recorder)
            manifest = _write(prepared, progress, place.output, plan, watcher)
    except CoveError as error:
        registry.fail_run(run_id, str(error))
        raise
    except KeyboardInterrupt:
        registry.fail_run(run_id, "interrupted: the same command goes on from the last epoch")
        raise
    except Exception as error:
        registry.fail_run(run_id, f"{type(error).__name__}: {error}")
        raise
    _register(registry, manifest, place)
    remove_checkpoint(place.checkpoint)
    return manifest


def follow_training(settings: RunSettings, place: Place, processes: Processes) -> None:
    """Take part in a run whose first process is in `run_training`; writes nothing.

    Raises:
        CoveError: as there; or this process has other data than the first.
    """
    data = load_data(settings.data, place.data_directory, settings.filter)
    device = pick_device(place.device, processes.local_rank)
    prepared = prepare_run(settings, data, device, place.codes_from, Silence())
    plan: LoopPlan | None = processes.agree(None)
    if plan is None:
        return
    if plan.fingerprint != settings.fingerprint(data.sha256):
        raise TrainingError(
            f"process {processes.rank} of {processes.size} has other data or settings than the "
            "first: all must be given the same"
        )
    _train(prepared, plan, processes, Silence())


def _train(prepared: Prepared, plan: LoopPlan, processes: Processes, watcher: Watcher) -> Progress:
    """Train on the run's device; a table that is to be sharded never comes there whole."""
    if plan.settings.embedding_sharding == "rows":
        shard_tables(prepared.objective, processes)
    objective = prepared.objective.to(prepared.device)
    return train(objective, prepared.task, replace(plan, processes=processes), watcher)


def _plan(prepared: Prepared, place: Place, fingerprint: str, run_id: str) -> LoopPlan:
    settings, metric = prepared.settings, prepared.task.selection_metric
    return LoopPlan(settings.training, settings.seed, metric, place.checkpoint, fingerprint, run_id)


def _write(
    prepared: Prepared, progress: Progress, output: Path, plan: LoopPlan, watcher: Watcher
) -> Manifest:
    """Measure what was trained, and write the artifact."""
    task, recommender = prepared.task, prepared.objective.recommender
    regroup_codes(recommender, prepared.settings.seed)
    add_linear_part(recommender, task)
    tests, by_unit = task.test_metrics(recommender)
    manifest = _manifest(prepared, progress, tests, plan)
    _judge_probabilities(manifest.metrics, watcher)
    tables = task.tables(recommender)
    index = index_of_items(recommender, task, tables["item"], watcher.warn)
    return write_artifact(output, manifest, recommender, tables, by_unit, index)


def _judge_probabilities(metrics: dict[str, dict[str, float]], watcher: Watcher) -> None:
    """Warn of a click scorer that ranks, but whose probabilities say less than a click rate does;
    epochs are chosen by AUC, which does not see that."""
    ours, rate = (metrics.get(each, {}) for each in ("test", "test_item_click_rate"))
    if rate and ours["log_loss"] > rate["log_loss"]:
        watcher.warn(
            f"the probabilities are worse than each item's click rate (log loss "
            f"{ours['log_loss']:.3f}, {rate['log_loss']:.3f}): trust the order alone, or fit less "
            "closely, by a smaller recommender or a larger weight_decay"
        )


def _already_trained(place: Place, fingerprint: str) -> Manifest | None:
    if not (place.output / MANIFEST).exists() or (place.restart and place.overwrite):
        return None
    manifest = read_manifest(place.output)
    if manifest.training.get("fingerprint") == fingerprint:
        return None if place.restart else read_artifact(place.output).manifest
    if place.overwrite:
        return None
    raise SettingsError(
        f"{place.output} holds another model ({manifest.id}): name another --output, or pass "
        "--overwrite"
    )


def _resumable_run(place: Place, fingerprint: str) -> str | None:
    if place.restart:
        remove_checkpoint(place.checkpoint)
        return None
    standing = read_standing(place.checkpoint)
    if standing is None:
        return None
    if standing.fingerprint != fingerprint:
        raise SettingsError(
            f"{place.checkpoint} is of a run with other settings or data: name another --output, "
            "or pass --restart to discard it"
        )
    return standing.run_id


def _manifest(
    prepared: Prepared, progress: Progress, tests: dict[str, float], plan: LoopPlan
) -> Manifest:
    settings, task = prepared.settings, prepared.task
    recommender = prepared.objective.recommender
    metrics = {"valid": task.evaluate(recommender, "valid"), "test": tests}
    metrics |= task.baseline_metrics()
    use = {name: entity_code_use(entity) for name, entity in recommender.entities().items()}
    return Manifest(
        task=task.name,
        recommender=settings.recommender,
        settings=settings.model,
        quantizers={
            entity: quantizer.model_dump(mode="json")
            for entity, quantizer in settings.quantizers().items()
        },
        training={
            "fingerprint": plan.fingerprint,
            "filter": settings.filter.model_dump(mode="json"),
            "task_options": settings.task_options,
            "objective": settings.objective.model_dump(),
            "optimisation": settings.training.model_dump(),
        },
        num_items=len(task.vocabularies()["item"]),
        counts=task.counts(),
        data_name=task.data.name,
        data_sha256=task.data.sha256,
        seed=settings.seed,
        epochs=progress.best_epoch,
        metrics=metrics,
        code_use={name: levels for name, levels in use.items() if levels},
        code_version="",
        run_id=plan.run_id,
    )


def _register(registry: Registry, manifest: Manifest, place: Place) -> None:
    registry.add_model(manifest, place.output.resolve())
    active = registry.active_model(manifest.task)
    if active is None or not holds(active.path, active.id):
        registry.activate(manifest.id)
    if manifest.run_id is not None:
        try:
            registry.finish_run(manifest.run_id, manifest.id, manifest.metrics["test"])
        except CoveError as error:  # the artifact came from another registry
            logging.getLogger(__name__).info("run not recorded here: %s", error)


class _Recorder:
    """Passes what the loop tells on to the registry and to the person watching."""

    def __init__(self, registry: Registry, run_id: str, watcher: Watcher) -> None:
        self.registry, self.run_id, self.watcher = registry, run_id, watcher

    def step(self, epoch: int, done: int, loss: float) -> None:
        self.watcher.step(epoch, done, loss)

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        self.registry.record_metrics(self.run_id, epoch, values)
        self.registry.heartbeat(self.run_id)
        self.watcher.epoch(epoch, values)

    def warn(self, message: str) -> None:
        self.watcher.warn(message)
