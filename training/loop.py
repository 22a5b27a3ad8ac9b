"""The one training loop: epochs, validation, early stopping, checkpoints.

A run is a pure function of its settings, its data and the machine: every epoch starts from a
seed of its own, so a resumed run goes on exactly as an unbroken one.
"""

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from cove.batches import Batch
from cove.embedding import EntityEmbedding
from cove.errors import CoveError
from cove.objective import Objective
from cove.quantization import LevelUse, code_use
from cove.recommenders import Recommender
from training.optimisation import Optimizer, TrainingSettings


class TrainingError(CoveError):
    """Training cannot go on; the sentence says why and what to change."""


class Task(Protocol):
    """What the loop asks of a task: its batches and its evaluation."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch of training batches."""

    def evaluate(self, recommender: Recommender, split: str) -> dict[str, float]:
        """Metrics of a split."""


@dataclass
class Progress:
    """Where a run stands; all of it is in a checkpoint."""

    epoch: int = 0
    """Epochs done."""
    steps: int = 0
    """Updates done."""
    best_epoch: int = 0
    best: float = -math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: losses, validation metrics, code use, seconds."""


class Watcher(Protocol):
    """Hears how a run goes."""

    def step(self, epoch: int, done: int, loss: float) -> None:
        """A batch was trained on; `done` of this epoch so far."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """An epoch ended with these values."""

    def warn(self, message: str) -> None:
        """Something is amiss that does not stop the run."""


@dataclass(frozen=True)
class LoopPlan:
    """What a run needs beside its model and task."""

    settings: TrainingSettings
    seed: int
    selection_metric: str
    checkpoint: Path
    fingerprint: str
    run_id: str


def seed_everything(seed: int, epoch: int) -> None:
    """Seed torch for an epoch; 0 is for the initial weights."""
    torch.manual_seed(seed * 1_000_003 + epoch)


def train(objective: Objective, task: Task, plan: LoopPlan, watcher: Watcher) -> Progress:
    """Train to the end, from the checkpoint if there is one; leaves the best weights loaded.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    settings = plan.settings
    device = next(objective.parameters()).device
    optimizer = Optimizer(objective, settings)
    progress = _resume(objective, optimizer, plan, device)
    while progress.epoch < settings.epochs and not _finished(objective, progress, settings):
        _train_epoch(objective, optimizer, task, plan, progress, watcher)
        watcher.epoch(progress.epoch, progress.history[-1])  # first: a resumed run never skips one
        save_checkpoint(plan, objective, optimizer, progress)
    objective.load_state_dict(progress.best_weights)
    objective.eval()
    return progress


def _finished(objective: Objective, progress: Progress, settings: TrainingSettings) -> bool:
    if progress.epoch == 0:
        return False
    quantizers = [entity.quantizer for entity in objective.recommender.entities().values()]
    if any(each is not None and not each.active for each in quantizers):
        return False
    objective.recommender.start_epoch(progress.epoch - 1, settings.epochs)
    if not objective.recommender.may_stop(progress.epoch - 1, settings.epochs):
        return False
    return progress.epoch - progress.best_epoch >= settings.patience


def _train_epoch(
    objective: Objective,
    optimizer: Optimizer,
    task: Task,
    plan: LoopPlan,
    progress: Progress,
    watcher: Watcher,
) -> None:
    started, epoch = time.perf_counter(), progress.epoch
    recommender, settings = objective.recommender, plan.settings
    seed_everything(plan.seed, epoch + 1)
    generator = torch.Generator().manual_seed(torch.initial_seed())
    recommender.start_epoch(epoch, settings.epochs)
    if _start_codes(objective, plan.seed, epoch):
        progress.best, progress.best_epoch = -math.inf, epoch  # weights without codes are no result
    objective.train()
    sums, steps, revived = torch.zeros(3), 0, 0
    for batch in task.batches(settings.batch_size, generator):
        progress.steps += 1
        optimizer.set_learning_rate(epoch, progress.steps)
        parts = _train_step(objective, optimizer, batch)
        sums, steps = sums + parts, steps + 1
        if not math.isfinite(float(parts.sum())):
            raise TrainingError(
                f"the loss is not a number any more in epoch {epoch + 1}: "
                f"lower learning_rate ({settings.learning_rate})"
            )
        revived += _revive(recommender, steps)
        watcher.step(epoch + 1, steps, float(parts[0]))
    objective.eval()
    values = dict(
        zip(
            ("loss", "quantization_loss", "code_prediction_loss"),
            (sums / steps).tolist(),
            strict=True,
        )
    )
    values |= {f"valid_{k}": v for k, v in task.evaluate(recommender, "valid").items()}
    values |= _watch_codes(recommender, revived, watcher)
    values["seconds"] = time.perf_counter() - started
    progress.epoch = epoch + 1
    progress.history.append(values)
    score = values[f"valid_{plan.selection_metric}"]
    if score > progress.best:
        progress.best, progress.best_epoch = score, progress.epoch
        progress.best_weights = {k: v.detach().clone() for k, v in objective.state_dict().items()}


def _start_codes(objective: Objective, seed: int, epoch: int) -> bool:
    """Start the codes where it is time to; whether that happened."""
    started = False
    for entity in objective.recommender.entities().values():
        quantizer = entity.quantizer
        if quantizer is None or quantizer.active or epoch < quantizer.settings.first_epoch:
            continue
        entity.start_codes(seed)
        started = True
    return started


def _train_step(objective: Objective, optimizer: Optimizer, batch: Batch) -> Tensor:
    """One update; the unweighted losses [3] on the CPU."""
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=batch[0].is_cuda):
        total, parts = objective(batch)
    optimizer.step(total)
    return torch.stack([part.detach().float() for part in parts]).cpu()


def _revive(recommender: Recommender, steps: int) -> int:
    moved = 0
    for entity in recommender.entities().values():
        interval = 0 if entity.quantizer is None else entity.quantizer.settings.revival_interval
        if interval and steps % interval == 0:
            moved += entity.revive()
    return moved


def _watch_codes(recommender: Recommender, revived: int, watcher: Watcher) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, entity in recommender.entities().items():
        prefix = "" if name == "item" else f"{name}_"
        for use in entity_code_use(entity):
            values[f"{prefix}codes_used_level_{use.level}"] = use.ratio
            values[f"{prefix}perplexity_level_{use.level}"] = use.perplexity
            if use.ratio < 0.1:
                watcher.warn(
                    f"level {use.level} of the {name}s has collapsed: all {name}s together use "
                    f"{use.used} of its {use.size} codes"
                )
    if values:
        values["codes_revived"] = float(revived)
    return values


def entity_code_use(entity: EntityEmbedding) -> list[LevelUse]:
    """Use of each level's codes by all entities; empty without COVE."""
    quantizer = entity.quantizer
    if quantizer is None or not quantizer.active:
        return []
    return code_use(entity.codes().cpu(), quantizer.settings.code_sizes)


def save_checkpoint(
    plan: LoopPlan, objective: Objective, optimizer: Optimizer, progress: Progress
) -> None:
    """Write the checkpoint beside its place, then rename: a kill leaves the old or the new."""
    content: dict[str, Any] = {
        "fingerprint": plan.fingerprint,
        "run_id": plan.run_id,
        "objective": objective.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    plan.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    scratch = plan.checkpoint.with_name(plan.checkpoint.name + ".tmp")
    with scratch.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(plan.checkpoint)


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """What a run left at `path`, or None where there is nothing.

    Raises:
        TrainingError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return {
            name: content[name]
            for name in ("fingerprint", "run_id", "objective", "optimizer", "progress")
        }
    except Exception as error:
        raise TrainingError(
            f"the checkpoint {path} cannot be read ({type(error).__name__}): "
            "pass --restart to begin again"
        ) from None


def _resume(
    objective: Objective, optimizer: Optimizer, plan: LoopPlan, device: torch.device
) -> Progress:
    content = read_checkpoint(plan.checkpoint, device)
    if content is None:
        return Progress()
    objective.load_state_dict(content["objective"])
    optimizer.load_state_dict(content["optimizer"])
    return Progress(**content["progress"])
