"""What FinalMLP's fusion costs, and what large embedding tables cost by the way they are updated.

    python -m benchmarks.click_step

Two tables, CPU time:

- `fusion`: FinalMLP's fusion beside one 1,000 × 1,000 layer, forward and backward, of 5,000 samples
  (Section 4.1). The aim is at most 1.
- `tables`: a step with two tables of 200,000 rows, dense Adam beside row-sparse. The aim is at
  least 10 times as fast for the factorization machine, whose step is little but its tables. A
  network of three layers of 1,000 has its products on top, the same on both sides.

Blocks of the sides that are compared take turns, A B A B; figures are medians over the repeats.
What a step of each network costs, with COVE too: training.py.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from benchmarks.machine import described  # first: cove sets how OpenMP's threads wait

# isort: split
import torch

from cove.batches import ClickBatch
from cove.objective import Objective, ObjectiveSettings
from cove.recommenders import build_recommender
from cove.recommenders.finalmlp import BilinearFusion, FinalMlpSettings
from cove.vocabulary import NUM_SPECIAL
from training.optimisation import Optimizer, TrainingSettings, choose_sparse_tables

BATCH, ROWS = 5000, 200_000


class Trainer:
    """A network in the loop's own step, on random samples."""

    def __init__(self, name: str, sizes: tuple[int, int], batch: int, sparse: str) -> None:
        torch.manual_seed(0)
        num_users, num_items = sizes
        made = build_recommender(name, {}, num_items, None, num_users).train()
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
        sides = [Trainer(name, (ROWS, ROWS), batch, each) for each in ("never", "always")]
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
    parser.add_argument("--tables", default="fusion,tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{described('torch')}; {options.threads} thread(s), "
        f"{options.repeats} repeats of {options.steps} steps, medians, CPU time\n"
    )
    tables = {"fusion": fusion_table, "tables": tables_table}
    for name in options.tables.split(","):
        tables[name](options.repeats, options.steps)


if __name__ == "__main__":
    main()
