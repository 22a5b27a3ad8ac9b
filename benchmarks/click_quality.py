"""AUC of DeepFM and DCN beside RecBole 1.2.1's, on the same split, with CPU time a sample.

    python benchmarks/click_quality.py --data ml100k --from DIR --peer-python PEER/bin/python

Equal: training, validation and test samples, D = 64, 3 layers of 1,000, dropout 0.1, batches of
1,000, Adam at 0.001, epochs, the epoch chosen by the AUC in validation. Not equal: RecBole's DCN
has batch normalisation in its layers; RecBole drops inputs of a layer where ours drops outputs,
starts its weights by Xavier's rule, does not clip gradients and keeps its learning rate, ours
falls to a tenth. Both sides run one after the other, a seed at a time, with one thread.

RecBole's environment: see sequential_training.py.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import numpy as np
import torch

from cove.objective import Objective, ObjectiveSettings
from cove.recommenders import build_recommender
from training.datasets import ClickData, load_clicks
from training.loop import seed_everything
from training.optimisation import Optimizer, TrainingSettings
from training.tasks.click_through import ClickThrough, prepare_clicks

MODELS = {"deepfm": "DeepFM", "dcn": "DCN"}
Epochs = list[dict[str, float]]


def ours(name: str, task: ClickThrough, settings: TrainingSettings, seed: int) -> dict[str, Any]:
    """Each epoch's AUC, and the CPU microseconds of a training sample."""
    seed_everything(seed, 0)
    made = build_recommender(name, {}, len(task.items), None, len(task.users))
    task.start(made, seed, print)
    objective = Objective(made, ObjectiveSettings())
    optimizer = Optimizer(objective, settings)
    generator = torch.Generator().manual_seed(seed)
    epochs, seconds, taken = [], 0.0, 0
    for epoch in range(settings.epochs):
        made.train()
        started = time.process_time()
        for batch in task.batches(settings.batch_size, generator):
            taken += 1
            optimizer.set_learning_rate(epoch, taken)
            optimizer.step(objective(batch)[0])
        seconds += time.process_time() - started
        made.eval()
        epochs.append({split: task.evaluate(made, split)["auc"] for split in ("valid", "test")})
    return {
        "epochs": epochs,
        "microseconds": seconds / (settings.epochs * len(task.train)) * 1e6,
    }


def write_split(task: ClickThrough, folder: Path) -> None:
    """The samples as RecBole's file of numbers, and which are in which split."""
    parts = {
        name: torch.stack([part.users, part.items, part.labels.long()], dim=1).numpy()
        for name, part in (("train", task.train), ("valid", task.valid), ("test", task.test))
    }
    np.savez(folder / "splits.npz", **parts)
    (folder / "clicks").mkdir()
    with (folder / "clicks" / "clicks.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\tlabel:float\n")
        for rows in parts.values():
            file.writelines(f"{user}\t{item}\t{label}\n" for user, item, label in rows.tolist())


def peers(
    name: str, python: Path, task: ClickThrough, settings: TrainingSettings, seed: int
) -> Any:
    """The same of RecBole."""
    with tempfile.TemporaryDirectory() as place:
        write_split(task, Path(place))
        job = {
            "folder": place, "model": MODELS[name], "dimensions": 64, "widths": [1000] * 3,
            "dropout": 0.1, "seed": seed, "threads": 1, "batch": settings.batch_size,
            "epochs": settings.epochs, "learning_rate": settings.learning_rate,
        }  # fmt: skip
        worker = Path(__file__).resolve().with_name("recbole_click_worker.py")
        found = subprocess.run(
            [str(python), str(worker), json.dumps(job)],
            capture_output=True, text=True, cwd=place, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        )  # fmt: skip
    if found.returncode:
        raise SystemExit(f"RecBole's side stopped: {found.stderr.strip().splitlines()[-1]}")
    return json.loads(found.stdout.splitlines()[-1])


def chosen(epochs: Epochs) -> float:
    """The test AUC of the epoch that is best in validation."""
    return max(epochs, key=lambda one: one["valid"])["test"]


def row(name: str, data: ClickData, options: argparse.Namespace) -> str:
    """One network's line."""
    settings = TrainingSettings(
        epochs=options.epochs, batch_size=1000, learning_rate=0.001, warmup_steps=0
    )
    found: dict[str, list[float]] = {"ours": [], "peer": [], "ours us": [], "peer us": []}
    for seed in range(options.seeds):
        task = prepare_clicks(data, seed, "random")
        sides = {
            "ours": ours(name, task, settings, seed),
            "peer": peers(name, options.peer_python, task, settings, seed),
        }
        for side, one in sides.items():
            found[side].append(chosen(one["epochs"]))
            found[f"{side} us"].append(one["microseconds"])
    gaps = [a - b for a, b in zip(found["ours"], found["peer"], strict=True)]
    means = [f"{statistics.mean(found[side]):.4f}" for side in ("ours", "peer")]
    times = [statistics.median(found[side]) for side in ("ours us", "peer us")]
    by_seed = ", ".join(f"{gap:+.4f}" for gap in gaps)
    return (
        f"| {MODELS[name]} | {means[0]} | {means[1]} | {statistics.mean(gaps):+.4f} ({by_seed}) "
        f"| {times[0]:.1f} | {times[1]:.1f} | {times[1] / times[0]:.2f} |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml100k")
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--models", default="deepfm,dcn")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; Python "
        f"{platform.python_version()}, torch {version('torch')}, cove {cove.__version__}; "
        f"{options.data}, {options.epochs} epochs, {options.seeds} seeds\n"
    )
    names = ("network", "our AUC", "RecBole's", "difference (by seed)")
    head = f"| {' | '.join((*names, 'CPU µs a sample', 'RecBole', 'ratio'))} |"
    print(f"{head}\n{'| --- ' * 7}|")
    data = load_clicks(options.data, options.directory)
    for name in options.models.split(","):
        print(row(name, data, options), flush=True)


if __name__ == "__main__":
    main()
