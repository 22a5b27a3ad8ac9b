"""CPU time of a training step with COVE beside the plain recommender's, in one process.

    python benchmarks/cove_overhead.py

Batches have AotM's shape: 256 lists of 6 given and 7 wanted items out of 6,264, at most 60 long.
Plain and COVE take turns, a block of steps each, A B A B, so that a busy neighbour slows both;
the order of each pair alternates. A step is that of `cove train`: loss, gradients, clipping and
Adam, and a revival of dead codes every 50 steps. Prints the machine, the versions, the median
CPU milliseconds a step over the blocks, the median of the pairs' ratios, and the ratio of the
fastest blocks. The aim is at most 1.15.
"""

import argparse
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch

from cove.batches import ListBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import LISTS, RECOMMENDERS, build_recommender, recommenders_for
from cove.vocabulary import NUM_SPECIAL

NUM_ITEMS, NUM_LISTS, GIVEN, WANTED, MAX_LENGTH = 6264, 256, 6, 7, 60
LEARNING_RATE, GRADIENT_NORM = 0.003, 1.0


class Trainer:
    """A recommender in training on random lists, always the same ones."""

    def __init__(self, name: str, quantizer: QuantizerSettings | None) -> None:
        torch.manual_seed(0)
        known = "max_length" in RECOMMENDERS[name].settings.model_fields
        settings = {"max_length": MAX_LENGTH} if known else {}
        recommender = build_recommender(name, settings, NUM_ITEMS, quantizer)
        recommender.items.start_codes(0)
        recommender.start_epoch(2, 5)  # three fifths of FANS' targets masked, the curriculum's mean
        self.objective = Objective(recommender, ObjectiveSettings()).train()
        self.optimizer = torch.optim.Adam(self.objective.parameters(), lr=LEARNING_RATE, fused=True)
        shape = (8, NUM_LISTS, GIVEN + WANTED)
        self.lists = torch.randint(NUM_SPECIAL, NUM_SPECIAL + NUM_ITEMS, shape)
        self.interval = 0 if quantizer is None else quantizer.revival_interval
        self.steps = 0

    def step(self) -> None:
        """One update."""
        one = self.lists[self.steps % len(self.lists)]
        loss, _ = self.objective(ListBatch(one[:, :GIVEN], one[:, GIVEN:]))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.steps += 1
        if self.interval and self.steps % self.interval == 0:
            self.objective.recommender.items.revive()

    def block(self, steps: int) -> float:
        """CPU milliseconds a step, all threads together, over a block of steps."""
        torch.manual_seed(self.steps)
        started = time.process_time()
        for _ in range(steps):
            self.step()
        return (time.process_time() - started) / steps * 1000


def compare(name: str, quantizer: QuantizerSettings, repeats: int, steps: int) -> tuple[float, ...]:
    """Median milliseconds a step, plain and with COVE; the ratios' median and range; the ratio of
    the fastest blocks, which a busy neighbour disturbs least."""
    plain, aware = Trainer(name, None), Trainer(name, quantizer)
    for trainer in (plain, aware):
        trainer.block(5)
    pairs = []
    for repeat in range(repeats):
        order = (plain, aware) if repeat % 2 == 0 else (aware, plain)
        times = {id(trainer): trainer.block(steps) for trainer in order}
        pairs.append((times[id(plain)], times[id(aware)]))
    ratios = [second / first for first, second in pairs]
    both = [statistics.median(column) for column in zip(*pairs, strict=True)]
    fastest = [min(column) for column in zip(*pairs, strict=True)]
    spread = (min(ratios), max(ratios))
    return (*both, statistics.median(ratios), *spread, fastest[1] / fastest[0])


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=12, help="pairs of blocks")
    parser.add_argument("--steps", type=int, default=10, help="steps a block")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--code-sizes", default="500,10")
    parser.add_argument("--gradient", default="straight_through", help="or direct")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = tuple(int(part) for part in options.code_sizes.split(","))
    print(
        f"{processor()}, {os.cpu_count()} cores, {options.threads} thread(s); "
        f"Python {platform.python_version()}, torch {version('torch')}, cove {cove.__version__}"
    )
    shape = f"{options.repeats} pairs of blocks of {options.steps} steps"
    print(f"COVE {options.code_sizes}, {options.gradient}; {shape}; CPU ms a step, medians\n")
    print("| recommender | plain | COVE | ratio | lowest to highest | fastest blocks |")
    print("| --- | --- | --- | --- | --- | --- |")
    quantizer = QuantizerSettings(code_sizes=sizes, gradient=options.gradient)
    for name in recommenders_for(LISTS):
        row = compare(name, quantizer, options.repeats, options.steps)
        plain, aware, ratio, lowest, highest, fastest = row
        print(
            f"| {name} | {plain:.1f} | {aware:.1f} | {ratio:.3f} | {lowest:.3f} to {highest:.3f} "
            f"| {fastest:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
