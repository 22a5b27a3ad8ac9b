"""Runs that `test_parallel` compares: by one process in the test, by two here, under torchrun.

torchrun --nproc-per-node 2 -m tests.training.parallel_runs FOLDER
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from cove.artifact import Manifest
from cove.objective import Objective
from tests.training.worlds import (
    CLICKS_SMALL,
    SMALL,
    Watcher,
    open_at,
    planted_clicks,
    planted_file,
)
from training.checkpoint import Progress, read_checkpoint
from training.errors import TrainingError
from training.loop import train
from training.parallel import ALONE, Processes, under_torchrun
from training.resolving import resolve
from training.run_settings import RunSettings
from training.train import Place, follow_training, run_training

STILL = {"dropout": 0.0}
"""Without noise of its own, which the processes draw otherwise than one does."""
CLICKS = CLICKS_SMALL | STILL
LISTS = SMALL | STILL | {"loss": "softmax", "batch_size": 9}
PREFERENCES: dict[str, object] = {
    "dimensions": 8, "epochs": 3, "batch_size": 33, "core": 1, "learning_rate": 0.01,
}  # fmt: skip
FORMS: dict[str, dict[str, object]] = {
    "default": {"form": "default"},
    "evolving": {"form": "evolving", "initialization": "normal", "revival_interval": 2},
}
RUNS = {
    **{("sasrec", form): LISTS for form in FORMS},
    **{("bprmf", form): PREFERENCES for form in FORMS},
    **{("deepfm", form): CLICKS for form in FORMS},
    ("bprmf", "rows"): PREFERENCES | {"row_sparse": "always"},
}
"""Settings by recommender and form; `rows`: without COVE, updates by row."""


def settings_of(recommender: str, form: str, folder: Path) -> RunSettings:
    """The settings of a run on planted data."""
    values: dict[str, object] = {
        name: value for name, value in RUNS[recommender, form].items()
        if name not in {"form", "initialization", "alpha"}
    }  # fmt: skip
    file = folder / ("lists.csv" if recommender == "sasrec" else f"{recommender}.csv")
    sizes = (12, 4) if form in FORMS else None
    users = None if recommender == "sasrec" else sizes
    return resolve(
        recommender, str(file), sizes, 0, values | FORMS.get(form, {}), user_code_sizes=users
    )


def write_data(folder: Path) -> None:
    """The files of all runs."""
    planted_file(folder, "lists.csv")
    planted_clicks(folder, "deepfm.csv")
    clicked = planted_clicks(folder, "samples.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in clicked]
    pairs = dict.fromkeys(f"{user},{item}" for user, item, label, _ in rows if label == "1")
    (folder / "bprmf.csv").write_text("\n".join(["user_id,item_id", *pairs]) + "\n")


def run(
    recommender: str, form: str, folder: Path, output: Path, processes: Processes = ALONE
) -> Manifest | None:
    """One run; what it gave, on the first process."""
    settings = settings_of(recommender, form, folder)
    place = Place(None, output, "cpu")
    if not processes.first:
        follow_training(settings, place, processes)
        return None
    registry = open_at(output.parent)
    try:
        return run_training(settings, place, registry, Watcher(), processes=processes)
    finally:
        registry.close()


def broken_off(folder: Path, output: Path, processes: Processes) -> None:
    """A run that ends after its first epoch, with a checkpoint."""
    settings = settings_of("bprmf", "evolving", folder)
    place, watcher = Place(None, output, "cpu"), Watcher(breaks=(2, 1), error=TrainingError("off"))
    registry = open_at(output.parent)
    try:
        run_training(settings, place, registry, watcher, processes=processes)
    except TrainingError:
        content = read_checkpoint(place.checkpoint)
        assert content is not None
    finally:
        registry.close()


def train_and_keep(file: Path, objective: Objective, *rest: Any) -> Progress:
    """Train, and keep what this process then has."""
    progress = train(objective, *rest)
    torch.save(objective.state_dict(), file)
    return progress


def main(folder: Path) -> None:
    """All runs, and what each process holds at the end of them."""
    torch.set_num_threads(1)
    with under_torchrun() as processes:
        for recommender, form in RUNS:
            output = folder / "two" / f"{recommender}-{form}"
            keep = folder / f"{recommender}-{form}-{processes.rank}.pt"
            with patch("training.train.train", partial(train_and_keep, keep)):
                run(recommender, form, folder, output, processes)
        run("bprmf", "evolving", folder, folder / "resumed" / "model", processes)
        (folder / f"done-{processes.rank}").write_text(json.dumps(processes.size))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
