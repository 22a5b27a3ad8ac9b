"""Training speed of every recommender: with and without COVE, and beside RecBole 1.2.1's.

    python -m benchmarks.training --from DATA --peer-python PEER/bin/python

DATA holds the folders `aotm`, `ml100k` and `toys`. Each side is a process of its own with one
thread. Blocks of batches take turns, A B A B, and are timed as CPU time, user and system; figures
are medians over the repeats, ratios medians over the turns with the least and the most. Two tables:

`cove`: all fourteen at the defaults of `cove train` (batches of 256 lists, 1,000 samples, 1,024
interactions), plain, with the form `default` and with `evolving` (codes started, `--cove auto` on
every entity): lists or samples a CPU-second, the share of the time in matrix products (torch's
profiler: mm, addmm, bmm, convolutions and the fused attention), peak memory of the process.

`peers`: the ten that RecBole has, at its settings: predicted items, samples or interactions a
CPU-second. For lists there are two readings: `own`, each side's own way over the same lists (ours
trains every position of a list in one pass, RecBole a row a position, padded to the longest), and
`padded`, RecBole's rows on both sides. The geometric means are at the end. A bare loop of torch,
where there is one, has no task, schedule, clipping or check around the same network.

Equal: lists and splits, D (64), layers, widths, heads, dropout (attention's too), batches, learning
rate, Adam, full cross-entropy of lists, one uniform negative of interactions, facts (CFKG),
regularization. Caser has windows of 5 and one target. Not equal: ours clips gradients, uses the
fused Adam and starts its weights otherwise; SASRec and BERT4Rec normalise before sublayers, RecBole
after; RecBole's BERT4Rec has one more layer before its head and scores a fixed number of places;
RecBole drops inputs of a dense layer, ours outputs; RecBole's DCN has batch normalisation.

Memory: `cove train` tells glibc to keep what a step frees (cove/memory.py). RecBole is given
the same thresholds by its environment, which makes it faster, unless `--peer-as-it-comes` says that
it is to run as people get it. RecBole's anomaly detection, which
importing any of its sequential models turns on, is turned off; that makes it faster too.

--quality EPOCHS trains both sides of `peers` and prints the test score (NDCG@10 among all items, or
AUC) of the epoch that is best in validation; `--every N` looks at each N-th alone, for ranking with
RecBole's NeuMF takes longer than training it.

RecBole's environment: Python 3.11 with torch 2.13.0, numpy 1.26.4, pandas 2.2.3, scipy 1.11.4,
scikit-learn<1.6, setuptools<81, recbole 1.2.1, and a sitecustomize.py in its site-packages:

    import functools, torch
    torch.load = functools.partial(torch.load, weights_only=False)
"""

if not __package__:  # a script's folder comes first on Python's path, and this is no package there
    raise SystemExit("run it from the repository's folder, as a module: python -m benchmarks.NAME")

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import described  # first: cove sets how OpenMP's threads wait

# isort: split
from benchmarks.bare_loops import BARE
from benchmarks.training_jobs import Job, Worker, write_files
from cove.memory import KEPT_BYTES, MALLOC_VARIABLES
from cove.recommenders import CLICKS, LISTS

FOURTEEN = (
    "caser", "gru4rec", "sasrec", "bert4rec", "car", "fans", "bprmf", "neumf", "cfkg", "lightgcn",
    "dcn", "deepfm", "fibinet", "finalmlp",
)  # fmt: skip
PEERS = tuple(name for name in FOURTEEN if name not in {"car", "fans", "fibinet", "finalmlp"})
HERE = Path(__file__).resolve().parent


class Rates:
    """What the turns of some sides gave: counts a CPU-second, and peak memory in MiB."""

    def __init__(self, sides: list[Worker], batches: list[int], repeats: int, count: str) -> None:
        self.found: list[list[float]] = [[] for _ in sides]
        self.peaks = [0.0 for _ in sides]
        for side in sides:
            side.ask(block=2)
        for _ in range(repeats):
            for number, (side, size) in enumerate(zip(sides, batches, strict=True)):
                answer = side.ask(block=size)
                self.found[number].append(answer[count] / answer["seconds"])
                self.peaks[number] = answer["peak"]

    def rate(self, side: int) -> float:
        """The median rate of a side."""
        return statistics.median(self.found[side])

    def ratios(self, side: int, other: int) -> tuple[float, float, float]:
        """How many times the other's a side's rate is: median, least and most over the turns."""
        turns = [a / b for a, b in zip(self.found[side], self.found[other], strict=True)]
        return statistics.median(turns), min(turns), max(turns)


def block_size(job: Job, options: argparse.Namespace) -> int | None:
    """Batches of a block; None for an epoch: the negatives of one are drawn at its start."""
    return options.batches if job.task in {LISTS, CLICKS} else None


def started(commands: list[tuple[list[str], Job]]) -> list[Worker]:
    """A worker for each command and job."""
    return [Worker(command, job) for command, job in commands]


def closed(sides: list[Worker]) -> None:
    """End them."""
    for side in sides:
        side.close()


def ours() -> list[str]:
    """The command of our side."""
    root = f"PYTHONPATH={HERE.parent}"
    return ["env", root, sys.executable, "-m", "benchmarks.training_worker"]


def peer(options: argparse.Namespace) -> list[str]:
    """The command of RecBole's side, with our thresholds of memory unless it is told otherwise."""
    names = () if options.peer_as_it_comes else MALLOC_VARIABLES
    kept = [f"{variable}={KEPT_BYTES}" for variable in names]
    return ["env", *kept, options.peer_python, str(HERE / "recbole_worker.py")]


def cove_row(name: str, folder: str, options: argparse.Namespace) -> tuple[str, list[float]]:
    """A recommender's line of the first table, and what each form costs."""
    job = Job(name, str(options.directory.resolve()), folder)
    jobs = [job, *(job._replace(form=form) for form in options.forms.split(","))]
    sides = started([(ours(), each) for each in jobs])
    size = block_size(job, options)
    rates = Rates(sides, [size or side.about["batches"] for side in sides], options.repeats, "rows")
    shares = [side.ask(products=min(size or 20, 20))["share"] for side in sides]
    closed(sides)
    cells, costs = [f"{rates.rate(0):,.0f}", f"{shares[0]:.0%}", f"{rates.peaks[0]:,.0f}"], []
    for number in range(1, len(jobs)):
        cost, least, most = rates.ratios(0, number)
        costs.append(cost)
        cells += [f"{cost:.3f} ({least:.2f} to {most:.2f})", f"{shares[number]:.0%}"]
        cells.append(f"{rates.peaks[number]:,.0f}")
    return f"| {name} | {' | '.join(cells)} |", costs


def cove_table(options: argparse.Namespace) -> None:
    """Print what COVE adds."""
    forms = options.forms.split(",")
    names = ["recommender", "rows a CPU-second", "in products", "MiB"]
    for form in forms:
        names += [f"time with {form}", "in products", "MiB"]
    print(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|", flush=True)
    worst: dict[str, tuple[float, str]] = dict.fromkeys(forms, (0.0, ""))
    for name in chosen(FOURTEEN, options):
        with tempfile.TemporaryDirectory() as folder:
            row, costs = cove_row(name, folder, options)
        print(row, flush=True)
        for form, cost in zip(forms, costs, strict=True):
            worst[form] = max(worst[form], (cost, name))
    for form, (cost, name) in worst.items():
        print(f"\nMost that `{form}` adds: {cost - 1:+.1%} ({name}).")
    print()


def peers_row(job: Job, options: argparse.Namespace) -> tuple[str, float]:
    """A recommender's line of the second table, and the ratio."""
    commands = [(ours(), job), (peer(options), job)]
    if job.recommender in BARE:
        commands.append((ours(), job._replace(bare=True)))
    sides = started(commands)
    size = block_size(job, options)
    batches = [size or side.about["batches"] for side in sides]
    if job.recommender == "lightgcn":
        batches[1] = min(batches[1], 20)
    rates = Rates(sides, batches, options.repeats, "terms")
    share = sides[0].ask(products=min(size or 20, 20))["share"]
    closed(sides)
    ratio, least, most = rates.ratios(0, 1)
    cells = [f"{rates.rate(0):,.0f}", f"{share:.0%}", f"{rates.rate(1):,.0f}"]
    cells.append(f"{ratio:.2f} ({least:.2f} to {most:.2f})")
    cells.append(f"{rates.ratios(0, 2)[0]:.2f}" if len(sides) > 2 else "")
    cells += [f"{peak:,.0f}" for peak in rates.peaks[:2]]
    return " | ".join(cells), ratio


def peers_table(options: argparse.Namespace) -> None:
    """Print how fast RecBole is beside ours."""
    names = ("recommender", "reading", "COVE, a CPU-second", "in products", "RecBole", "ratio")
    names += ("of a bare loop", "COVE, MiB", "RecBole, MiB")
    print(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|", flush=True)
    found: dict[str, list[float]] = {"own": [], "padded": []}
    for name in chosen(PEERS, options):
        with tempfile.TemporaryDirectory() as folder:
            job = Job(name, str(options.directory.resolve()), folder, equal=True)
            write_files(job)
            for reading in ("own", "padded") if job.task == LISTS else ("own",):
                row, ratio = peers_row(job._replace(reading=reading), options)
                print(f"| {name} | {reading} | {row} |", flush=True)
                found[reading].append(ratio)
                if job.task != LISTS:
                    found["padded"].append(ratio)
    for reading, ratios in found.items():
        print(f"\nGeometric mean, lists `{reading}`: {statistics.geometric_mean(ratios):.2f}.")


def quality_table(options: argparse.Namespace) -> None:
    """Print what both sides learn in so many epochs at equal settings."""
    print("| recommender | COVE (epoch) | RecBole (epoch) |\n| --- | --- | --- |")
    for name in chosen(PEERS, options):
        with tempfile.TemporaryDirectory() as folder:
            data = str(options.directory.resolve())
            job = Job(name, data, folder, equal=True, seed=options.seed)
            write_files(job)
            sides = started([(ours(), job), (peer(options), job)])
            cells = []
            for side in sides:
                scores = []
                for epoch in range(1, options.quality + 1):
                    side.ask(block=side.about["batches"])
                    if epoch % options.every:
                        continue
                    both = [side.ask(evaluate=split)["score"] for split in ("valid", "test")]
                    scores.append((*both, epoch))
                best = max(scores)
                cells.append(f"{best[1]:.4f} ({best[2]})")
            closed(sides)
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def chosen(names: tuple[str, ...], options: argparse.Namespace) -> list[str]:
    """Those of the names that are asked for."""
    wanted = options.recommenders.split(",") if options.recommenders else names
    return [name for name in names if name in wanted]


def parse() -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--peer-python", help="the Python that has RecBole")
    parser.add_argument("--peer-as-it-comes", action="store_true", help="glibc as RecBole finds it")
    parser.add_argument("--recommenders", default="", help="names with commas; all if empty")
    parser.add_argument("--tables", default="cove,peers")
    parser.add_argument("--forms", default="default,evolving")
    parser.add_argument("--repeats", type=int, default=5, help="turns a side")
    parser.add_argument("--batches", type=int, default=6, help="a block of lists or clicks")
    parser.add_argument("--quality", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of both, for quality")
    parser.add_argument("--every", type=int, default=1, help="epochs between two looks at quality")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse()
    print(
        f"{described('torch')}; 1 thread, {options.repeats} turns, "
        f"blocks of {options.batches} batches\n"
    )
    if options.quality:
        quality_table(options)
        return
    tables = {"cove": cove_table, "peers": peers_table}
    for name in options.tables.split(","):
        tables[name](options)


if __name__ == "__main__":
    main()
