"""Tiny lists from planted groups, and runs on them that take a second."""

import random
from pathlib import Path
from typing import Any

from cove.artifact import Manifest
from training.registry.database import registry_url, upgrade
from training.registry.queries import Registry
from training.resolving import resolve
from training.run_settings import RunSettings
from training.train import Place, run_training

SMALL = {
    "dimensions": 16, "heads": 2, "layers": 1, "epochs": 3, "min_count": 1, "batch_size": 16,
    "learning_rate": 0.005, "code_prediction_weight": 1.0, "alpha": 1.0,
    "initialization": "sample", "form": "evolving",
}  # fmt: skip
"""Settings of a run that takes a second; it stays the same when a default is tuned."""
OPTIONS = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
"""The same for the command line."""
CODE_SIZES = (12, 4)
TAKE_WHOLE_TABLES: list[tuple[str, dict[str, Any]]] = [
    ("bag", {}), ("lightgcn", {}), ("sasrec", {"heads": 2, "loss": "softmax"}),
]  # fmt: skip
"""Recommenders, with their settings, whose training steps do not look items up by id."""


def planted_file(folder: Path, name: str = "tiny.csv") -> Path:
    """Write 60 lists of 10 to 14 items, each drawn within one of four groups of 20."""
    draw = random.Random(0)
    rows = [
        f"{number},{number % 4 * 20 + item}"
        for number in range(60)
        for item in draw.sample(range(20), draw.randint(10, 14))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["list_id,item_id", *rows]) + "\n")
    return path


def small_settings(
    file: Path, seed: int = 0, recommender: str = "fans", **changes: object
) -> RunSettings:
    """A run of a second on a file, with COVE."""
    return resolve(recommender, str(file), CODE_SIZES, seed, SMALL | changes)


CLICKS_SMALL: dict[str, object] = {
    "dimensions": 8, "widths": [16], "epochs": 3, "batch_size": 16, "learning_rate": 0.03,
    "warmup_steps": 0, "dropout": 0.0, "alpha": 1.0, "initialization": "sample",
    "form": "evolving",
}  # fmt: skip
"""Settings of a click-through run that takes a second."""


def planted_clicks(folder: Path, name: str = "clicks.csv") -> Path:
    """Write 600 samples of 30 users and 40 items in two groups: a user clicks those of the own
    group nine times in ten, others once. Times rise with the rows."""
    draw = random.Random(0)
    rows = []
    for time in range(600):
        user, item = draw.randrange(30), draw.randrange(40)
        likely = 0.9 if user % 2 == item % 2 else 0.1
        rows.append(f"u{user},{item},{int(draw.random() < likely)},{time}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["user_id,item_id,label,timestamp", *rows]) + "\n")
    return path


def click_settings(
    file: Path, seed: int = 0, recommender: str = "deepfm", **changes: object
) -> RunSettings:
    """A click-through run of a second on a file, with COVE on users and items."""
    values = CLICKS_SMALL | changes
    return resolve(recommender, str(file), (6,), seed, values, user_code_sizes=(5, 2))


class Watcher:
    """Listens to a run; breaks it off at a step of an epoch, or at its end (step None)."""

    def __init__(
        self, breaks: tuple[int, int | None] | None = None, error: BaseException | None = None
    ) -> None:
        self.breaks, self.error = breaks, error or RuntimeError("the power went")
        self.epochs: list[int] = []
        self.warnings: list[str] = []

    def step(self, epoch: int, done: int, loss: float) -> None:
        if self.breaks == (epoch, done):
            raise self.error

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        self.epochs.append(epoch)
        if self.breaks == (epoch, None):
            raise self.error

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def open_at(folder: Path) -> Registry:
    """The registry of a folder of artifacts, made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    url = registry_url(folder)
    upgrade(url)
    return Registry(url)


def run_at(
    output: Path, settings: RunSettings, watcher: Watcher | None = None, **place: Any
) -> Manifest:
    """Run on the CPU and register beside `output`."""
    registry = open_at(output.parent)
    try:
        where = Place(None, output, "cpu", **place)
        return run_training(settings, where, registry, watcher or Watcher())
    finally:
        registry.close()
