"""From settings and data to a recommender that is ready to train, the same on every process."""

from dataclasses import dataclass
from pathlib import Path

import torch

from cove.artifact import read_artifact
from cove.errors import SettingsError
from cove.memory import keep_freed_memory
from cove.objective import Objective
from cove.quantization import FixedCodes
from cove.recommenders import build_recommender
from training.code_sizes import fit_code_sizes
from training.cooccurrence import give_cooccurrence_codes
from training.datasets import Data
from training.linear_part import wants_linear_part
from training.loop import Watcher, seed_everything
from training.optimisation import choose_sparse_tables
from training.run_settings import RunSettings
from training.sharding import check_sharding
from training.tasks import PreparedTask, prepare_task


@dataclass(frozen=True)
class Prepared:
    """A run before its first step."""

    settings: RunSettings
    """With the code sizes that suit the data."""
    task: PreparedTask
    objective: Objective
    """Still on the CPU."""
    device: torch.device
    """Where it is to train; the task's data are there."""


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of a name: `auto` takes a GPU where there is one, each process of a machine its
    own.

    Raises:
        SettingsError: there is no such device here.
    """
    if name in {"auto", "cuda"} and torch.cuda.is_available():
        name = f"cuda:{local_rank}"
    try:
        device = torch.device("cpu" if name == "auto" else name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError):
        raise SettingsError(
            f"device must be auto, cpu or a GPU of this machine: got {name!r}"
        ) from None
    return device


def prepare_run(
    settings: RunSettings,
    data: Data,
    device: torch.device,
    codes_from: Path | None,
    watcher: Watcher,
) -> Prepared:
    """Split the data and build the recommender; codes_from: artifact that gives the codes.

    Raises:
        CoveError: the data, the settings or the other model do not go together.
    """
    keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32, for what autocast leaves in float32
    # On a GPU some operations have no deterministic form: there it is tried, not promised.
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # That mode also fills every new tensor with NaN first, a twentieth of BPRMF's time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    task = prepare_task(data, settings.seed, settings.task_options).to(device)
    settings = fit_code_sizes(settings, task, watcher)
    objective = new_objective(settings, task, watcher)
    if codes_from is not None:
        _take_codes(objective, task, codes_from, settings)
    return Prepared(settings, task, objective, device)


def new_objective(settings: RunSettings, task: PreparedTask, watcher: Watcher) -> Objective:
    """A run's recommender with new weights, told what is known before training.

    Raises:
        SettingsError: more codes than entities, or settings that do not go together.
    """
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
    check_sharding(recommender, settings.training)
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
