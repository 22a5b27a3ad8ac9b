"""The one training loop: epochs, validation, early stopping, checkpoints.

A run is a pure function of its settings, its data and the machine: every epoch starts from a
seed of its own, so a resumed run goes on exactly as an unbroken one.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cove.batches import Batch
from cove.embedding import EntityEmbedding
from cove.objective import Objective
from cove.quantization import LevelUse, code_use
from cove.recommenders import Recommender
from training.checkpoint import (
    Progress,
    Standing,
    read_standing,
    read_tensors,
    write_checkpoint,
)
from training.losses import EpochLosses
from training.optimisation import Optimizer, TrainingSettings
from training.parallel import ALONE, Processes
from training.sharding import gather_tables, sharded_tables, whole_tables


class Task(Protocol):
    """What the loop asks of a task: its batches and its evaluation."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch of training batches."""

    def evaluate(self, recommender: Recommender, split: str) -> dict[str, float]:
        """Metrics of a split."""


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
    processes: Processes = ALONE


def seed_everything(seed: int, epoch: int) -> None:
    """Seed torch for an epoch; 0 is for the initial weights."""
    torch.manual_seed(seed * 1_000_003 + epoch)


def train(objective: Objective, task: Task, plan: LoopPlan, watcher: Watcher) -> Progress:
    """Train to the end, from the checkpoint if there is one; leaves the best weights loaded, and
    sharded tables gathered.

    Raises:
        TrainingError: the loss is no longer a number, or another process of the run stopped.
    """
    settings = plan.settings
    optimizer = Optimizer(objective, settings, plan.processes)
    progress = _resume(objective, optimizer, plan)
    while progress.epoch < settings.epochs and not _finished(objective, progress, settings):
        _train_epoch(objective, optimizer, task, plan, progress, watcher)
        watcher.epoch(progress.epoch, progress.history[-1])  # first: a resumed run never skips one
        _save(plan, objective, optimizer, progress)
    objective.load_state_dict(progress.best_weights)
    gather_tables(objective)
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
    recommender, settings, processes = objective.recommender, plan.settings, plan.processes
    seed_everything(plan.seed, epoch + 1)
    generator = torch.Generator().manual_seed(torch.initial_seed())
    recommender.start_epoch(epoch, settings.epochs)
    if _start_codes(objective, plan, epoch):
        progress.best, progress.best_epoch = -math.inf, epoch  # weights without codes are no result
    objective.train()
    optimizer.start_epoch()
    losses, revived = EpochLosses(settings.learning_rate, epoch + 1), 0
    batches = processes.batches(task.batches(settings.batch_size, generator))
    for steps, batch in enumerate(batches, start=1):
        progress.steps += 1
        optimizer.set_learning_rate(epoch, progress.steps)
        losses.add(train_step(objective, optimizer, batch, processes))
        revived += revive(recommender, steps, processes)
        watcher.step(epoch + 1, steps, losses.last)
    optimizer.end_epoch()
    losses.check_weights(objective.parameters(), processes)
    objective.eval()
    values = losses.means()
    with whole_tables(recommender):
        values |= {f"valid_{k}": v for k, v in task.evaluate(recommender, "valid").items()}
        values |= _watch_codes(recommender, revived, watcher)
    values["seconds"] = time.perf_counter() - started
    values = processes.agree(values)
    progress.epoch = epoch + 1
    progress.history.append(values)
    score = values[f"valid_{plan.selection_metric}"]
    if score > progress.best:
        progress.best, progress.best_epoch = score, progress.epoch
        progress.best_weights = {k: v.detach().clone() for k, v in objective.state_dict().items()}


def _start_codes(objective: Objective, plan: LoopPlan, epoch: int) -> bool:
    """Start the codes where it is time to, on all processes alike; whether that happened."""
    started = False
    for entity in objective.recommender.entities().values():
        quantizer = entity.quantizer
        if quantizer is None or quantizer.active or epoch < quantizer.settings.first_epoch:
            continue
        with whole_tables(entity):
            entity.start_codes(plan.seed)
        plan.processes.equalise(quantizer.state_dict().values())
        started = True
    return started


def train_step(
    objective: Objective, optimizer: Optimizer, batch: Batch, processes: Processes = ALONE
) -> Tensor:
    """One update, each process by its part of the batch; the whole's unweighted losses, [3]."""
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=batch[0].is_cuda):
        losses = processes.scaled(objective.losses(batch, processes.part))
        total = objective.weighted(losses)
    optimizer.step(total)
    return processes.sum(torch.stack([part.detach().float() for part in losses]))


def revive(recommender: Recommender, steps: int, processes: Processes = ALONE) -> int:
    """Revive dead codes where it is time to after so many steps; the number of codes moved.

    The first process draws what they become, for all.
    """
    moved = 0
    for entity in recommender.entities().values():
        quantizer = entity.quantizer
        interval = 0 if quantizer is None else quantizer.settings.revival_interval
        if quantizer is None or not interval or steps % interval:
            continue
        with whole_tables(entity):
            moved += processes.agree(entity.revive() if processes.first else 0)
        processes.equalise(quantizer.state_dict().values())
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


def _save(plan: LoopPlan, objective: Objective, optimizer: Optimizer, progress: Progress) -> None:
    standing = Standing.of(plan.fingerprint, plan.run_id, progress, optimizer.updates())
    tensors = _tensors(objective, optimizer, progress)
    write_checkpoint(plan.checkpoint, standing, tensors, plan.processes)


def _resume(objective: Objective, optimizer: Optimizer, plan: LoopPlan) -> Progress:
    """Go on from the checkpoint, if the first process finds one; all stand alike then."""
    processes, weights = plan.processes, objective.state_dict()
    standing = processes.agree(read_standing(plan.checkpoint) if processes.first else None)
    if standing is None:
        own = sharded_tables(objective)
        processes.equalise(each for name, each in weights.items() if name not in own)
        return Progress()
    progress = Progress(**standing.progress)
    if standing.has_best:
        progress.best_weights = {name: torch.empty_like(each) for name, each in weights.items()}
    tensors = _tensors(objective, optimizer, progress)
    read_tensors(plan.checkpoint, standing, tensors, processes)
    objective.load_state_dict(weights)  # they are filled already; modules hear of it
    optimizer.set_updates(standing.updates)
    return progress


def _tensors(objective: Objective, optimizer: Optimizer, progress: Progress) -> dict[str, Tensor]:
    """The tensors of a checkpoint, which are the run's own; of sharded tables DTensors."""
    own = sharded_tables(objective)
    groups = {"objective": objective.state_dict(), "best": progress.best_weights}
    return {
        f"{group}.{name}": own[name][1].distributed(each) if name in own else each
        for group, tensors in (groups | optimizer.moments()).items()
        for name, each in tensors.items()
    }
