"""The processes of `large_data.py`: the maker, and training on both sides in turns."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

import cove  # before torch: it sets how OpenMP's threads wait

# isort: split
import torch

from cove.batches import PairBatch
from cove.memory import keep_freed_memory
from training.datasets import load_data
from training.loop import train_step
from training.optimisation import Optimizer
from training.preparing import new_objective
from training.resolving import resolve
from training.tasks import prepare_task
from training.tasks.collaborative_filtering import CollaborativeFiltering
from training.tasks.negatives import Negatives, UnseenItems
from training.tasks.pairs import Pairs, Shards
from training.watching import Silence

PER_USER, PER_ITEM = 20, 200
ROWS_AT_ONCE = 1 << 20
SIZE = 1024


def make(path: Path, num_rows: int) -> None:
    """Write a CSV of so many rows, a million at a time."""
    chance, began = np.random.default_rng(0), time.perf_counter()
    num_users, num_items = max(3, num_rows // PER_USER), max(3, num_rows // PER_ITEM)
    with path.open("wb") as file:
        for first in range(0, num_rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, num_rows - first)
            rows = pl.DataFrame({
                "user_id": (num_users * chance.random(count) ** 3).astype(np.int64) * 7 + 1,
                "item_id": (num_items ** chance.random(count)).astype(np.int64) * 3 + 2,
                "rating": chance.integers(1, 6, count),
                "timestamp": chance.integers(1_500_000_000, 1_700_000_000, count),
            })  # fmt: skip
            rows.write_csv(file, include_header=first == 0)
    print(f"{num_rows:,} rows of {num_users:,} users and {num_items:,} items made in "
          f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip


class Took(NamedTuple):
    """Of a turn, or of what comes before one."""

    seconds: float
    cpu_seconds: float
    samples: int = 0

    def rates(self, once: "Took", share: float) -> tuple[float, float]:
        """Samples a second and a CPU-second, a share of what is done once counted in."""
        return (
            self.samples / (self.seconds + once.seconds * share),
            self.samples / (self.cpu_seconds + once.cpu_seconds * share),
        )


class Side:
    """One of the two: its batches, epoch after epoch."""

    def __init__(self, task: CollaborativeFiltering) -> None:
        self.task = task
        self.once = Took(0.0, 0.0)
        """What is done before the first batch of an epoch in memory."""
        self.share = 0.0
        """A turn's share of an epoch in memory."""
        self._batches = self._forever()

    def _forever(self) -> Iterator[PairBatch]:
        generator = torch.Generator().manual_seed(0)
        while True:
            yield from self.task.batches(SIZE, generator)

    def begin(self, steps: int) -> None:
        """Do, where data are in memory, what an epoch begins with."""
        if isinstance(self.task.train, Shards):
            return
        began, cpu = time.perf_counter(), time.process_time()
        next(self._batches)
        self.once = Took(time.perf_counter() - began, time.process_time() - cpu)
        self.share = min(1.0, steps * SIZE / len(self.task.train))

    def turn(self, steps: int, step: Callable[[PairBatch], object]) -> tuple[float, float]:
        """The rates of so many steps."""
        samples, began, cpu = 0, time.perf_counter(), time.process_time()
        for batch in islice(self._batches, steps):
            step(batch)
            samples += len(batch.users)
        took = Took(time.perf_counter() - began, time.process_time() - cpu, samples)
        return took.rates(self.once, self.share)


def in_memory(task: CollaborativeFiltering) -> CollaborativeFiltering:
    """The same task with all tensors in memory."""
    train, unseen = task.train, task.negatives.unseen
    held = UnseenItems.of_keys(unseen.keys.clone(), train.starts.clone(), len(task.items))
    negatives = Negatives(task.negatives.count, held, len(task.items))
    return replace(task, train=Pairs(train.users, train.items), negatives=negatives)


def train(folder: Path, turns: int) -> None:
    """Print rates of both sides and their ratios."""
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = resolve("bprmf", str(folder), None, 0, {"validation_users": 1000})
    data = load_data(settings.data, None, settings.filter)
    task = prepare_task(data, 0, settings.task_options)
    shard = len(data.seen) // len(data.shards)
    steps = -(-shard // SIZE)
    print(
        f"cove {cove.__version__}: {len(data.users):,} users, {len(data.items):,} items, "
        f"{len(data.seen):,} training interactions in {len(data.shards)} shards; a turn is "
        f"{steps:,} steps, a shard",
        flush=True,
    )
    objective = new_objective(settings, task, Silence())
    optimizer = Optimizer(objective, settings.training)
    optimizer.set_learning_rate(0, 1000)
    objective.train()
    kinds = {
        "batches alone": lambda batch: None,
        "steps of BPRMF": lambda batch: train_step(objective, optimizer, batch),
    }
    print("| | mapped, a second | in memory | ratio | mapped, a CPU-second | in memory | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind, step in kinds.items():
        sides = [Side(task), Side(in_memory(task))]
        for side in sides:
            side.begin(steps)
        rates = [[side.turn(steps, step) for side in sides] for _ in range(turns)]
        cells = []
        for which in (0, 1):
            mapped, memory = (
                statistics.median(turn[side][which] for turn in rates) for side in (0, 1)
            )
            ratio = statistics.median(turn[0][which] / turn[1][which] for turn in rates)
            cells += [f"{mapped:,.0f}", f"{memory:,.0f}", f"{ratio:.3f}"]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    {"make": make, "train": train}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
