"""What a training step of the click-through networks costs, and what of it is not products.

    python benchmarks/click_step.py

Section 4.1's sizes: batches of 5,000, D = 64, 3 layers of 1,000, dropout 0.1; as many users and
items as ML-100K has after its filter. Three tables, all CPU time:

- `step`: of each network without and with COVE on users and items (100 codes each), the time of a
  step and the share of it outside matrix products (the profiler's own time of every operator but
  mm, addmm, bmm and baddbmm; batches, lookup, COVE, dropout, clipping and Adam are all in it).
  The aim is under 20 %.
- `fusion`: FinalMLP's fusion beside one 1,000 × 1,000 layer, forward and backward. The aim is at
  most 1.
- `tables`: a step with two tables of 200,000 rows, dense Adam beside row-sparse. The aim is at
  least 10 times as fast for the factorization machine, whose step is little but its tables. A
  network of three layers of 1,000 has its products on top, the same on both sides.

Blocks of the sides that are compared take turns, A B A B; figures are medians over the repeats.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch
from torch.profiler import ProfilerActivity, profile

from cove.batches import ClickBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import build_recommender
from cove.recommenders.finalmlp import BilinearFusion, FinalMlpSettings
from cove.vocabulary import NUM_SPECIAL
from training.optimisation import Optimizer, TrainingSettings, choose_sparse_tables

NUM_USERS, NUM_ITEMS, BATCH = 849, 1641, 5000
PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}
NETWORKS = ("dcn", "deepfm", "fibinet", "finalmlp")
ROWS = 200_000


class Trainer:
    """A network in the loop's own step, on random samples."""

    def __init__(
        self, name: str, sizes: tuple[int, int], batch: int, codes: int = 0, sparse: str = "never"
    ) -> None:
        torch.manual_seed(0)
        quantizer = (
            QuantizerSettings(code_sizes=(codes,), initialization="sample") if codes else None
        )
        num_users, num_items = sizes
        made = build_recommender(name, {}, num_items, quantizer, num_users, quantizer).train()
        for entity in made.entities().values():
            entity.start_codes(0)
        settings = TrainingSettings(row_sparse=sparse)
        choose_sparse_tables(made, settings)
        self.objective = Objective(made, ObjectiveSettings())
        self.optimizer = Optimizer(self.objective, settings)
        users, items = (NUM_SPECIAL + torch.randint(size, (8, batch)) for size in sizes)
        labels = (torch.rand(8, batch) < 0.5).float()
        self.batches = [ClickBatch(*parts) for parts in zip(users, items, labels, strict=True)]
        self.steps = 0

    def step(self) -> None:
        """One step."""
        self.optimizer.step(self.objective(self.batches[self.steps % 8])[0])
        self.steps += 1

    def not_products(self, steps: int) -> float:
        """The share of steps that is not matrix products."""
        with profile(activities=[ProfilerActivity.CPU]) as found:
            for _ in range(steps):
                self.step()
        times = {event.key: event.self_cpu_time_total for event in found.key_averages()}
        return 1 - sum(times.get(name, 0.0) for name in PRODUCTS) / sum(times.values())


def taking_turns(sides: list[Callable[[], None]], repeats: int, steps: int) -> list[float]:
    """Median CPU milliseconds of a call of each side."""
    found: list[list[float]] = [[] for _ in sides]
    for side in sides:
        side()
    for _ in range(repeats):
        for side, times in zip(sides, found, strict=True):
            started = time.process_time()
            for _ in range(steps):
                side()
            times.append((time.process_time() - started) / steps * 1000)
    return [statistics.median(times) for times in found]


def steps_table(repeats: int, steps: int) -> None:
    """Print what a step of each network costs."""
    print("| network | ms | not products | ms with COVE | not products | COVE's ratio |")
    print("| --- " * 6 + "|")
    for name in NETWORKS:
        sides = [Trainer(name, (NUM_USERS, NUM_ITEMS), BATCH, codes) for codes in (0, 100)]
        plain, aware = taking_turns([side.step for side in sides], repeats, steps)
        shares = [
            statistics.median(side.not_products(steps) for _ in range(repeats)) for side in sides
        ]
        print(
            f"| {name} | {plain:.0f} | {shares[0]:.1%} | {aware:.0f} | {shares[1]:.1%} "
            f"| {aware / plain:.3f} |",
            flush=True,
        )


def fusion_table(repeats: int, steps: int) -> None:
    """Print what FinalMLP's fusion costs beside a layer."""
    width = FinalMlpSettings().widths[-1]
    inputs = [torch.randn(BATCH, width, requires_grad=True) for _ in range(2)]
    layer = torch.nn.Linear(width, width)

    def fuse(heads: int) -> Callable[[], None]:
        fusion = BilinearFusion(width, heads)
        return lambda: fusion(*inputs).sum().backward()

    heads = (1, FinalMlpSettings().heads, 10)
    sides = [lambda: layer(inputs[0]).sum().backward(), *map(fuse, heads)]
    alone, *fused = taking_turns(sides, repeats, steps)
    print("\n| fusion | ms | of a layer's |\n| --- | --- | --- |")
    print(f"| one layer of {width} × {width} | {alone:.0f} | 1 |")
    for number, found in zip(heads, fused, strict=True):
        print(f"| fusion, {number} head(s) | {found:.0f} | {found / alone:.2f} |", flush=True)


def tables_table(repeats: int, steps: int) -> None:
    """Print what large tables cost, dense and row-sparse."""
    print(f"\n| two tables of {ROWS:,} rows | batch | dense ms | row-sparse ms | ratio |")
    print("| --- " * 5 + "|")
    for name, batch in (("factorization_machine", 1000), ("deepfm", 1000)):
        sides = [Trainer(name, (ROWS, ROWS), batch, 0, each) for each in ("never", "always")]
        dense, sparse = taking_turns([side.step for side in sides], repeats, steps)
        print(
            f"| {name} | {batch} | {dense:.1f} | {sparse:.1f} | {dense / sparse:.1f} |", flush=True
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="steps a block")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tables", default="step,fusion,tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} thread(s); "
        f"Python {platform.python_version()}, torch {version('torch')}, cove {cove.__version__}; "
        f"{options.repeats} repeats of {options.steps} steps, medians, CPU time\n"
    )
    tables = {"step": steps_table, "fusion": fusion_table, "tables": tables_table}
    for name in options.tables.split(","):
        tables[name](options.repeats, options.steps)


if __name__ == "__main__":
    main()
