"""FANS and BERT4Rec with and without COVE, and with fixed random codes, beside the baselines.

    python benchmarks/list_completion.py --data aotm --from DIR --seeds 0,1 --output RUNS

Runs `cove train` for every row and seed that is not done yet (a stopped run goes on where it
was), measures every artifact again on its test lists, and prints machine, versions and two
Markdown tables: the standard NDCG, and the paper's, which is never compared with it.
"""

import argparse
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import torch

from cove.artifact import Artifact, read_artifact
from training.datasets import ListFilter, load_lists
from training.measure import measure_again
from training.tasks.list_completion import prepare
from training.train import baseline_metrics

Metrics = dict[str, float]
VARIANTS = {
    "": (),
    " + COVE 500,10": ("--cove", "500,10"),
    " + random codes 500,10": ("--cove", "500,10", "--set", "assignment=random"),
}
NAMES = {"fans": "FANS", "bert4rec": "BERT4Rec"}
TABLES = {
    "standard": ("ndcg_at_5", "ndcg_at_10", "hit_at_5", "hit_at_10"),
    "paper's reading (ideal over all targets, short lists skipped)": (
        "ndcg_at_full_ideal_5",
        "ndcg_at_full_ideal_10",
    ),
}


def train_all(options: argparse.Namespace) -> dict[str, list[Artifact]]:
    """Train what is missing; the artifacts of each row, one a seed."""
    rows: dict[str, list[Artifact]] = {}
    for seed in options.seeds.split(","):
        for recommender in options.recommenders.split(","):
            for variant, arguments in VARIANTS.items():
                row = f"{NAMES[recommender]}{variant}"
                place = options.output / f"{row.replace(' + ', '-').replace(' ', '-')}-{seed}"
                command = [sys.executable, "-m", "training.cli", "train", recommender]
                command += ["--data", options.data, "--from", str(options.directory)]
                command += ["--seed", seed, "--output", str(place), *arguments]
                for setting in options.set:
                    command += ["--set", setting]
                subprocess.run(command, check=True)
                rows.setdefault(row, []).append(read_artifact(place))
    return rows


def measure(rows: dict[str, list[Artifact]], directory: Path) -> dict[str, list[Metrics]]:
    """Test metrics of every row by seed, the baselines first."""
    table: dict[str, list[Metrics]] = {}
    for artifact in next(iter(rows.values())):
        manifest = artifact.manifest
        rule = ListFilter(**manifest.training["filter"])
        task = prepare(load_lists(manifest.data_name, directory, rule), manifest.seed)
        for name, metrics in baseline_metrics(task).items():
            table.setdefault(name.removeprefix("test_").replace("_", " "), []).append(metrics)
    return table | {
        row: [measure_again(artifact, directory) for artifact in found]
        for row, found in rows.items()
    }


def markdown(table: dict[str, list[Metrics]], names: tuple[str, ...]) -> str:
    """Mean and, over two seeds or more, ± half the range between the seeds."""
    lines = [f"| | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for row, found in table.items():
        cells = []
        for name in names:
            values = [metrics[name] for metrics in found]
            spread = (max(values) - min(values)) / 2
            cells.append(f"{statistics.mean(values):.4f} ± {spread:.4f}")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="aotm")
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--recommenders", default="fans,bert4rec")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], help="name=value for every run")
    options = parser.parse_args()
    rows = train_all(options)
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{options.data}, seeds {options.seeds}, {', '.join(options.set) or 'default settings'}\n"
    )
    table = measure(rows, options.directory)
    for title, names in TABLES.items():
        print(f"{title}\n\n{markdown(table, names)}\n")
    for row, found in rows.items():
        for use in found[0].manifest.code_use.get("item", []):
            used = [a.manifest.code_use["item"][use.level - 1] for a in found]
            shares = ", ".join(f"{u.used}/{u.size} (perplexity {u.perplexity:.0f})" for u in used)
            print(f"{row}, level {use.level}: {shares}")


if __name__ == "__main__":
    main()
