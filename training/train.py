"""One run, from raw lists to a registered artifact."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from cove.artifact import (
    MANIFEST,
    Manifest,
    check_output,
    read_artifact,
    read_manifest,
    write_artifact,
)
from cove.errors import CoveError, SettingsError
from cove.objective import Objective
from cove.quantization import FixedCodes
from cove.recommenders import build_recommender
from training.code_sizes import fit_code_sizes
from training.cooccurrence import give_cooccurrence_codes, regroup_codes
from training.datasets import Data, load_data
from training.item_index import index_of_items
from training.linear_part import add_linear_part, wants_linear_part
from training.loop import (
    LoopPlan,
    Progress,
    Watcher,
    entity_code_use,
    read_checkpoint,
    seed_everything,
    train,
)
from training.memory import keep_freed_memory
from training.optimisation import choose_sparse_tables
from training.registry.queries import Registry
from training.run_settings import RunSettings
from training.tasks import PreparedTask, prepare_task


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


def pick_device(name: str) -> torch.device:
    """The device of a name: `auto` takes a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError):
        raise SettingsError(
            f"device must be auto, cpu or a GPU of this machine: got {name!r}"
        ) from None
    return device


def run_training(
    settings: RunSettings,
    place: Place,
    registry: Registry,
    watcher: Watcher,
    data: Data | None = None,
) -> Manifest:
    """Train, evaluate, write the artifact and register it; resumes where a kill left off.

    data: the filtered data, where they are loaded already.

    Raises:
        CoveError: one sentence on what is wrong with the data, the settings or the place.
    """
    check_output(place.output)
    if data is None:
        data = load_data(settings.data, place.data_directory, settings.filter)
    fingerprint = settings.fingerprint(data.sha256)
    done = _already_trained(place, fingerprint)
    if done is not None:
        _register(registry, done, place)
        place.checkpoint.unlink(missing_ok=True)
        return done
    run_id = _resumable_run(place, fingerprint)
    device = pick_device(place.device)
    keep_freed_memory()
    # On a GPU some operations have no deterministic form: there it is tried, not promised.
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # That mode also fills every new tensor with NaN first, a twentieth of BPRMF's time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    task = prepare_task(data, settings.seed, settings.task_options).to(device)
    settings = fit_code_sizes(settings, task, watcher)
    objective = _new_objective(settings, task, watcher)
    if place.codes_from is not None:
        _take_codes(objective, task, place.codes_from, settings)
    objective = objective.to(device)
    run_id = registry.start_run(
        task=task.name,
        recommender=settings.recommender,
        data_name=data.name,
        seed=settings.seed,
        settings=settings.model_dump(mode="json"),
        settings_hash=fingerprint,
        output=str(place.output),
        run_id=run_id,
    )
    plan = LoopPlan(
        settings.training,
        settings.seed,
        task.selection_metric,
        place.checkpoint,
        fingerprint,
        run_id,
    )
    try:
        progress = train(objective, task, plan, _Recorder(registry, run_id, watcher))
        recommender = objective.recommender
        regroup_codes(recommender, settings.seed)
        add_linear_part(recommender, task)
        tests, by_unit = task.test_metrics(recommender)
        manifest = _manifest(settings, task, objective, progress, tests, fingerprint, run_id)
        tables = task.tables(recommender)
        index = index_of_items(recommender, task, tables["item"], watcher.warn)
        manifest = write_artifact(place.output, manifest, recommender, tables, by_unit, index)
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
    place.checkpoint.unlink(missing_ok=True)
    return manifest


def _already_trained(place: Place, fingerprint: str) -> Manifest | None:
    if place.restart or not (place.output / MANIFEST).exists():
        return None
    manifest = read_manifest(place.output)
    if manifest.training.get("fingerprint") == fingerprint:
        return read_artifact(place.output).manifest
    if place.overwrite:
        return None
    raise SettingsError(
        f"{place.output} holds another model ({manifest.id}): name another --output, or pass "
        "--overwrite"
    )


def _resumable_run(place: Place, fingerprint: str) -> str | None:
    if place.restart:
        place.checkpoint.unlink(missing_ok=True)
        return None
    content = read_checkpoint(place.checkpoint)
    if content is None:
        return None
    if content["fingerprint"] != fingerprint:
        raise SettingsError(
            f"{place.checkpoint} is of a run with other settings or data: name another --output, "
            "or pass --restart to discard it"
        )
    run_id: str = content["run_id"]
    return run_id


def _new_objective(settings: RunSettings, task: PreparedTask, watcher: Watcher) -> Objective:
    seed_everything(settings.seed, 0)
    sizes = {entity: len(vocabulary) for entity, vocabulary in task.vocabularies().items()}
    for entity, quantizer in settings.quantizers().items():
        if quantizer.code_sizes[0] > sizes[entity]:
            raise SettingsError(
                f"code_sizes must not exceed the {sizes[entity]} {entity}s of the training data: "
                f"got {quantizer.code_sizes[0]}"
            )
    recommender = build_recommender(
        settings.recommender,
        settings.model,
        sizes["item"],
        settings.quantizer,
        sizes.get("user"),
        settings.user_quantizer,
    )
    wants_linear_part(recommender)  # refused now, not after hours of training
    choose_sparse_tables(recommender, settings.training)
    task.start(recommender, settings.seed, watcher.warn)
    give_cooccurrence_codes(recommender, task, settings.seed)
    return Objective(recommender, settings.objective)


def _take_codes(
    objective: Objective, task: PreparedTask, source: Path, settings: RunSettings
) -> None:
    """Give every entity with COVE the codes that k-means finds in another model's embeddings."""
    artifact = read_artifact(source)
    other = artifact.manifest
    theirs = (
        other.task,
        other.data_sha256,
        other.seed,
        other.training.get("filter"),
        other.training.get("task_options", {}).get("split"),
    )
    ours = (
        task.name,
        task.data.sha256,
        settings.seed,
        settings.filter.model_dump(mode="json"),
        settings.task_options.get("split"),
    )
    if theirs != ours:
        raise SettingsError(
            f"{source} was trained on other data, another filter, split or seed: its codes may "
            "know this run's test data"
        )
    tables = {"item": artifact.items, "user": artifact.users}
    for name, entity in objective.recommender.entities().items():
        if entity.quantizer is None:
            continue
        found = tables[name]
        assert found is not None
        assert isinstance(entity.quantizer, FixedCodes)
        entity.quantizer.take_from(found.embeddings, settings.seed)


def _manifest(
    settings: RunSettings,
    task: PreparedTask,
    objective: Objective,
    progress: Progress,
    tests: dict[str, float],
    fingerprint: str,
    run_id: str,
) -> Manifest:
    recommender = objective.recommender
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
            "fingerprint": fingerprint,
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
        run_id=run_id,
    )


def _register(registry: Registry, manifest: Manifest, place: Place) -> None:
    registry.add_model(manifest, place.output.resolve())
    if registry.active_model(manifest.task) is None:
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
