"""Training speed of BPRMF, NeuMF, CFKG and LightGCN beside RecBole 1.2.1's, on the same data.

    python benchmarks/preference_training.py --data toys --from DIR --peer-python PEER/bin/python

Each side is a process of its own with one thread; blocks take turns, A B A B, and are timed as
CPU time, user and system. A block is an epoch, RecBole's LightGCN alone has `--batches`. Ours is
the loop of `cove train`: negatives, schedule, clipping and the check of the loss are inside the
clock. RecBole trains with its own loader and loop (`recbole_preference_worker.py`).

Equal: interactions, facts, leave-one-out split, D (64), interactions a batch (1,024; RecBole's
NeuMF counts its negatives too, so it is told 2,048), one uniform negative of each, one fact for
each interaction (CFKG), learning rate, dense Adam, no bias of an item. BPRMF has no regularization
on either side; LightGCN has 3 layers and 0.0001 of the same squared norms; NeuMF has 128 and 64
units and dropout 0.1; CFKG has the hinge with margin 1.

Not equal: ours clips gradients, uses the fused Adam and starts from N(0, 0.02²), RecBole by
Xavier's rule (NeuMF: N(0, 0.01²)). Ours draws the negatives of an epoch at once. NeuMF: RecBole
drops inputs of a layer, ours outputs. CFKG: RecBole takes the distance, ours its square, as the
paper has it; RecBole's wrong tail of a fact is any entity, ours one of the same relation.

Memory: `cove train` tells glibc to keep what a step frees (training/memory.py), RecBole does not,
and would gain more by it. So RecBole is measured twice: as it comes, and with the same thresholds
from its environment.

--quality EPOCHS trains both at these settings and a constant learning rate, and prints the NDCG@10
of the held-out items that training knows, ranked among all items; each side's epoch is chosen by
validation. --users ranks for so many users only, the same on both sides: RecBole's NeuMF and CFKG
score a pair at a time.

RecBole's environment: see sequential_training.py.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch
from sequential_training import Worker, answer_requests
from torch import Tensor

from cove.objective import Objective, ObjectiveSettings
from cove.recommenders import build_recommender
from training.datasets import load_interactions
from training.loop import seed_everything
from training.memory import KEPT_BYTES, MALLOC_VARIABLES, keep_freed_memory
from training.optimisation import Optimizer, TrainingSettings, choose_sparse_tables
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.negatives import PreferenceSettings

AIMS = {"bprmf": 3.0, "neumf": 1.5, "cfkg": 1.5, "lightgcn": 1.5}
"""How many times RecBole's interactions a CPU-second ours is to have."""
SETTINGS: dict[str, dict[str, object]] = {
    "bprmf": {"regularization": 0.0},
    "neumf": {"dropout": 0.1, "widths": [128, 64]},
    "cfkg": {"loss": "hinge", "margin": 1.0, "facts_per_interaction": 1.0},
    "lightgcn": {"regularization": 0.0001, "layers": 3},
}


class Job(NamedTuple):
    """What a worker is to train. `folder` holds RecBole's files."""

    folder: str
    data: str
    directory: str
    recommender: str
    batch: int
    learning_rate: float
    seed: int
    users: int


def prepare(job: Job) -> CollaborativeFiltering:
    """The data, with held-out items that training knows, of `job.users` users (0: of all)."""
    data = load_interactions(job.data, Path(job.directory))
    task = prepare_preferences(data, job.seed, PreferenceSettings())
    known = [set(part.owners[part.known()].tolist()) for part in (task.valid, task.test)]
    owners = torch.tensor(sorted(known[0] & known[1]))
    if 0 < job.users < len(owners):
        owners = owners[torch.randperm(len(owners), generator=torch.Generator().manual_seed(0))]
        owners = owners[: job.users]
    parts = {}
    for name in ("valid", "test"):
        whole = getattr(task, name)
        rows = torch.isin(whole.owners, owners)
        fields = {one: getattr(whole, one)[rows] for one in ("users", "targets", "owners")}
        parts[name] = replace(whole, candidates=whole.candidates[rows], **fields)
    return replace(task, **parts)


class Facts:
    """Hears what a recommender would hear before training."""

    triples: tuple[Tensor, Tensor, Tensor] | None = None

    def know_interactions(self, users: Tensor, items: Tensor) -> None:
        """Nothing to keep."""

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, _: int) -> None:
        """Keep the facts."""
        self.triples = heads, relations, tails


def write_files(task: CollaborativeFiltering, folder: Path) -> None:
    """The same split and facts in RecBole's format, under our indices."""
    folder.mkdir()
    pairs = {
        "train": (task.train.users, task.train.items),
        "valid": (task.valid.users, task.valid.targets),
        "test": (task.test.users, task.test.targets),
    }
    for name, (users, items) in pairs.items():
        with (folder / f"{folder.name}.{name}.inter").open("w", encoding="utf-8") as file:
            file.write("user_id:token\titem_id:token\n")
            rows = zip(users.tolist(), items.tolist(), strict=True)
            file.writelines(f"u{user}\ti{item}\n" for user, item in rows)
    heard = Facts()
    task.start(heard, 0, print)
    if heard.triples is None:
        return
    with (folder / f"{folder.name}.kg").open("w", encoding="utf-8") as file:
        file.write("head_id:token\trelation_id:token\ttail_id:token\n")
        rows = zip(*(part.tolist() for part in heard.triples), strict=True)
        file.writelines(f"e{head}\tr{relation}\te{tail}\n" for head, relation, tail in rows)
    entities = torch.cat([heard.triples[0], heard.triples[2]]).unique()
    linked = entities[torch.isin(entities, task.train.items)].tolist()
    with (folder / f"{folder.name}.link").open("w", encoding="utf-8") as file:
        file.write("item_id:token\tentity_id:token\n")
        file.writelines(f"i{item}\te{item}\n" for item in linked)


class Trainer:
    """COVE's side: the recommender in the loop of `cove train`."""

    def __init__(self, job: Job) -> None:
        torch.use_deterministic_algorithms(True)
        self.job, self.task, self.epoch, self.taken = job, prepare(job), 0, 0
        settings = TrainingSettings(
            batch_size=job.batch, learning_rate=job.learning_rate, warmup_steps=0
        )
        seed_everything(job.seed, 0)
        made = build_recommender(
            job.recommender,
            SETTINGS[job.recommender],
            len(self.task.items),
            None,
            len(self.task.users),
        )
        choose_sparse_tables(made, settings)
        self.task.start(made, job.seed, print)
        self.recommender = made
        self.objective = Objective(made, ObjectiveSettings())
        self.optimizer = Optimizer(self.objective, settings)
        self.about = {
            "rows": len(self.task.train),
            "batches": math.ceil(len(self.task.train) / job.batch),
            "parameters": sum(each.numel() for each in made.parameters()),
        }

    def block(self, batches: int) -> dict[str, float]:
        """Train on the first so many batches of a new epoch."""
        self.epoch += 1
        rows, sums, started = 0, torch.zeros(3), time.process_time()
        seed_everything(self.job.seed, self.epoch)
        generator = torch.Generator().manual_seed(torch.initial_seed())
        self.objective.train()
        for batch in islice(self.task.batches(self.job.batch, generator), batches):
            self.taken += 1
            self.optimizer.set_learning_rate(0, self.taken)
            total, parts = self.objective(batch)
            self.optimizer.step(total)
            losses = torch.stack([part.detach().float() for part in parts])
            sums, rows = sums + losses, rows + len(batch.users)
            if not math.isfinite(float(losses.sum())):
                raise SystemExit("the loss is not a number any more")
        seconds = time.process_time() - started
        return {"seconds": seconds, "rows": rows, "loss": float(sums[0]) / batches}

    def evaluate(self, split: str) -> dict[str, float]:
        """NDCG@10 among all items."""
        self.objective.eval()
        return {"ndcg_at_10": self.task.evaluate(self.recommender, split)["ndcg_at_10"]}


def work(job: Job) -> None:
    """Be a worker: answer each line of standard input with one of JSON."""
    torch.set_num_threads(1)
    keep_freed_memory()
    trainer = Trainer(job)
    answer_requests(trainer, trainer.about)


def compare(sides: list[Worker], batches: list[int], repeats: int) -> str:
    """Interactions a CPU-second of each side, medians of blocks that take turns; and how many
    times the others' the first side's are, with the least and the most of all turns."""
    found: list[list[float]] = [[] for _ in sides]
    for side in sides:
        side.ask(batches=2)
    for _ in range(repeats):
        for side, count, rates in zip(sides, batches, found, strict=True):
            answer = side.ask(batches=count)
            rates.append(answer["rows"] / answer["seconds"])
    ours = statistics.median(found[0])
    cells = [f"{ours:,.0f}"]
    for rates in found[1:]:
        turns = [one / other for one, other in zip(found[0], rates, strict=True)]
        theirs = statistics.median(rates)
        ratio = f"{ours / theirs:.2f} ({min(turns):.2f} to {max(turns):.2f})"
        cells += [f"{theirs:,.0f}", ratio]
    return " | ".join(cells)


def best_epoch(side: Worker, epochs: int, every: int) -> tuple[float, int]:
    """Test NDCG@10 after the epoch that is best in validation, and that epoch."""
    scores = []
    for epoch in range(1, epochs + 1):
        side.ask(batches=side.about["batches"])
        if epoch % every == 0 or epoch == epochs:
            found = [side.ask(evaluate=split)["ndcg_at_10"] for split in ("valid", "test")]
            scores.append((found[0], found[1], epoch))
    return max(scores)[1:]


def quality(found: list[tuple[tuple[float, int], tuple[float, int]]]) -> str:
    """A row of both sides' results over seeds."""
    cells = []
    for side in range(2):
        scores = [one[side][0] for one in found]
        spread = f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
        epochs = ", ".join(str(one[side][1]) for one in found)
        cells.append(f"{statistics.mean(scores):.4f}{spread} ({epochs})")
    gaps = [ours[0] - theirs[0] for ours, theirs in found]
    each = ", ".join(f"{gap:+.4f}" for gap in gaps)
    return f"{' | '.join(cells)} | {statistics.mean(gaps):+.4f} ({each})"


def parse() -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="toys")
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--peer-python", required=True, help="the Python that has RecBole")
    parser.add_argument("--recommenders", default=",".join(AIMS))
    parser.add_argument("--repeats", type=int, default=5, help="blocks a side")
    parser.add_argument("--batches", type=int, default=20, help="a block of RecBole's LightGCN")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--quality", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--every", type=int, default=1, help="epochs between evaluations")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=0, help="rank for so many; 0: for all")
    return parser.parse_args()


def run(name: str, seed: int, options: argparse.Namespace) -> Any:
    """Start both sides of a recommender and ask of them what the options say."""
    here = Path(__file__).resolve()
    with tempfile.TemporaryDirectory() as place:
        directory = str(options.directory.resolve())
        sizes = (options.batch_size, options.learning_rate, seed, options.users)
        job = Job(place, options.data, directory, name, *sizes)
        write_files(prepare(job), Path(place, "preferences"))
        peer = [options.peer_python, str(here.with_name("recbole_preference_worker.py"))]
        keeps = ["env", *(f"{variable}={KEPT_BYTES}" for variable in MALLOC_VARIABLES), *peer]
        peers = [keeps] if options.quality else [peer, keeps]
        ours = [sys.executable, str(here), "work"]
        sides = [Worker(command, job) for command in (ours, *peers)]
        try:
            if options.quality:
                return tuple(best_epoch(one, options.quality, options.every) for one in sides)
            batches = [side.about["batches"] for side in sides]
            if name == "lightgcn":
                batches[1:] = [min(each, options.batches) for each in batches[1:]]
            return compare(sides, batches, options.repeats)
        finally:
            for side in sides:
                side.close()


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 2 and sys.argv[1] == "work":
        work(Job(**json.loads(sys.argv[2])))
        return
    options = parse()
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, load average {load}; Python "
        f"{platform.python_version()}, torch {version('torch')}, cove {cove.__version__}"
    )
    print(f"{options.data}, batches of {options.batch_size}\n")
    if options.quality:
        print("| recommender | COVE's NDCG@10 (epochs) | RecBole's | difference (by seed) |")
        print("| --- | --- | --- | --- |")
    else:
        names = ("recommender", "COVE, interactions a CPU-second", "RecBole", "ratio (by turn)")
        names += ("RecBole, memory kept", "ratio (by turn)", "aim")
        print(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|")
    for name in options.recommenders.split(","):
        if options.quality:
            row = quality([run(name, seed, options) for seed in range(options.seeds)])
        else:
            row = f"{run(name, 0, options)} | {AIMS[name]}"
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
