"""Baselines of a table: chosen on the validation lists, measured on the test lists, kept on disk.

`<seed>.json` says what was measured and holds the means; `<seed>.safetensors` holds every test
metric by list, [n] float32, in the order of the test split.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

import cove
from cove.vocabulary import NUM_SPECIAL
from training.datasets.writing import replacing
from training.evaluation import preference_baselines
from training.evaluation.baselines import Ease, ItemCooccurrence, ItemKnn, MostPopular
from training.evaluation.metrics import mean_metrics
from training.tasks import PreparedTask
from training.tasks.collaborative_filtering import CollaborativeFiltering
from training.tasks.list_completion import ListCompletion

Settings = dict[str, Any]
GRIDS: dict[str, list[Settings]] = {
    "most_popular": [{}],
    "item_cooccurrence": [{}],
    "item_knn": [
        {"neighbours": neighbours, "shrink": shrink}
        for neighbours, shrink in product((50, 200, 1000), (0.0, 10.0, 100.0, 1000.0))
    ],
    "ease": [
        {"regularization": value} for value in (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
    ],
    "most_popular_item": [{}],
    "neighbour_items": [
        {"neighbours": neighbours, "shrink": shrink}
        for neighbours, shrink in product((20, 100, 500), (0.0, 10.0, 100.0))
    ],
    "ease_of_users": [{"regularization": value} for value in (100.0, 300.0, 1000.0)],
    "ials": [
        {"regularization": regularization, "confidence": confidence}
        for regularization, confidence in product((1.0, 10.0, 100.0), (5.0, 20.0, 100.0))
    ],
}
"""What is tried of each baseline; validation chooses, test never does."""


@dataclass(frozen=True)
class BaselineResult:
    """What a baseline reached on one seed's lists."""

    key: str
    """A hash of the data, the seed, the filter and the settings tried."""
    name: str
    seed: int
    chosen: Settings
    tried: list[dict[str, Any]]
    """Each setting of the grid with what it reached on the validation lists."""
    valid: dict[str, float]
    test: dict[str, float]
    lists_sha256: str
    """Of the file with the metrics by list."""


def baseline_key(name: str, data_sha256: str, seed: int, rule: dict[str, Any]) -> str:
    """What a result on disk is recognised by."""
    content = [name, data_sha256, seed, rule, GRIDS[name], cove.__version__]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def measure_baseline(
    name: str, task: PreparedTask, device: torch.device, key: str, seed: int
) -> tuple[BaselineResult, dict[str, Tensor]]:
    """Try the grid on the validation lists, and measure the best on the test lists.

    Returns the result, and each test metric by list, [n].
    """
    best: tuple[float, Settings, dict[str, float], Any] | None = None
    tried = []
    metric = task.selection_metric
    for settings, completer in candidates(name, task, device):
        valid = task.evaluate(completer, "valid")
        tried.append({**settings, metric: valid[metric]})
        if best is None or valid[metric] > best[0]:
            best = (valid[metric], settings, valid, completer)
    assert best is not None
    _, chosen, valid, completer = best
    by_list = {k: v.float() for k, v in task.test_metrics(completer)[1].items()}
    test = mean_metrics({k: v.double() for k, v in by_list.items()})
    result = BaselineResult(
        key, name, seed, chosen, tried, valid, test, hashlib.sha256(save(by_list)).hexdigest()
    )
    return result, by_list


def candidates(
    name: str, task: PreparedTask, device: torch.device
) -> Iterator[tuple[Settings, Any]]:
    """Each setting of a baseline's grid with the baseline, learned from the training data."""
    if isinstance(task, ListCompletion):
        build = _of_lists(task, device)[name]
    else:
        assert isinstance(task, CollaborativeFiltering)
        build = _of_users(task, device)[name]
    for settings in GRIDS[name]:
        yield settings, build(**settings)


def _of_lists(task: ListCompletion, device: torch.device) -> dict[str, Callable[..., Any]]:
    num_items, lists = len(task.vocabulary), task.train.lists()
    return {
        "most_popular": lambda: MostPopular(
            torch.cat([torch.zeros(NUM_SPECIAL, dtype=torch.int64), task.popularity()])
        ),
        "item_cooccurrence": lambda: ItemCooccurrence(lists, num_items),
        "item_knn": lambda **settings: ItemKnn(lists, num_items, **settings),
        "ease": lambda **settings: Ease(lists, num_items, device=device, **settings),
    }


def _of_users(task: CollaborativeFiltering, device: torch.device) -> dict[str, Callable[..., Any]]:
    num_items, known = len(task.items), preference_baselines
    histories = task.histories()
    return {
        "most_popular_item": lambda: known.MostPopular(task.popularity()),
        "neighbour_items": lambda **settings: known.ItemKnn(histories, num_items, **settings),
        "ease_of_users": lambda **settings: known.Ease(
            histories, num_items, device=device, **settings
        ),
        "ials": lambda **settings: known.ImplicitAls(
            histories, num_items, dimensions=64, iterations=15, seed=0, threads=1, **settings
        ),
    }


def write_baseline(folder: Path, result: BaselineResult, by_list: dict[str, Tensor]) -> None:
    """Write a result, the JSON last: without it there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{result.seed}.safetensors": save(by_list),
        f"{result.seed}.json": json.dumps(asdict(result), indent=1, sort_keys=True).encode(),
    }
    for name, content in files.items():
        replace_file(folder / name, content)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename it: a reader has the old one or the new.

    Raises:
        DataError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_baseline(
    folder: Path, seed: int, key: str
) -> tuple[BaselineResult, dict[str, Tensor]] | None:
    """Read a result of this key; None where it is of another, incomplete or damaged."""
    try:
        result = BaselineResult(**json.loads((folder / f"{seed}.json").read_bytes()))
        content = (folder / f"{seed}.safetensors").read_bytes()
    except (OSError, ValueError, TypeError):
        return None
    if result.key != key or hashlib.sha256(content).hexdigest() != result.lists_sha256:
        return None
    return result, load(content)
