"""An artifact at work offline: measured again on its data, or completing one list."""

from pathlib import Path
from typing import Any

import torch

from cove.artifact import Artifact, read_artifact
from cove.batches import ListBatch, pad_lists
from cove.errors import DataError
from cove.recommenders import PREFERENCES, ListCompleter
from cove.vocabulary import NUM_SPECIAL, PAD
from training.datasets import DATASETS, load_data
from training.datasets.prepared import is_prepared
from training.tasks import FILTERS, prepare_task


def measure_again(artifact: Artifact, directory: Path) -> dict[str, float]:
    """Test metrics of an artifact, on the test data that its seed makes of its data.

    Raises:
        DataError: the data in `directory` are not those that the artifact was trained on.
    """
    manifest = artifact.manifest
    if not directory.exists():
        raise DataError(f"there is no folder or file {directory}")
    if directory.is_file() or is_prepared(directory):
        name, folder = str(directory), None
    elif manifest.data_name not in DATASETS:
        raise DataError(
            f"{manifest.id} was trained on a file named {manifest.data_name}: "
            f"name that file, or the prepared folder; {directory} is neither"
        )
    else:
        name, folder = manifest.data_name, directory
    trained = manifest.training
    data = load_data(name, folder, FILTERS[manifest.task](**trained["filter"]))
    if data.sha256 != manifest.data_sha256:
        raise DataError(f"{directory} is not the data that {manifest.id} was trained on")
    task = prepare_task(data, manifest.seed, trained.get("task_options", {}))
    return task.test_metrics(artifact.load_recommender())[0]


def complete_offline(directory: Path, items: list[str], k: int) -> dict[str, Any]:
    """Complete one list of external ids; popularity answers where none of them is known."""
    artifact = read_artifact(directory)
    recommender = artifact.load_recommender()
    if not isinstance(recommender, ListCompleter):
        task = artifact.manifest.task
        other = "name a --user" if task == PREFERENCES else "serve it, and see /docs"
        raise DataError(f"{artifact.manifest.id} is for {task} and completes no lists: {other}")
    tables = artifact.items
    given, unknown = tables.vocabulary.encode(items)
    if given:
        batch = ListBatch(pad_lists([given]), torch.zeros((1, 0), dtype=torch.int64))
        indices, scores = recommender.complete(batch, k)
        ranked = [
            (index, score)
            for index, score in zip(indices[0].tolist(), scores[0].tolist(), strict=True)
            if index != PAD
        ]
    else:
        order = tables.popularity.argsort(descending=True, stable=True)[:k].tolist()
        ranked = [(row + NUM_SPECIAL, float(tables.popularity[row])) for row in order]
    return {
        "items": [described(artifact, index, score) for index, score in ranked],
        "source": "model" if given else "popularity",
        "unknown_items": unknown,
        "model": artifact.manifest.id,
    }


def described(artifact: Artifact, index: int, score: float) -> dict[str, Any]:
    """An item of an answer as JSON."""
    row, titles = index - NUM_SPECIAL, artifact.items.titles
    described: dict[str, Any] = {
        "item": artifact.items.vocabulary.decode(index),
        "score": score,
        "codes": artifact.items.codes[row].tolist(),
    }
    return described if titles is None else described | {"title": titles[row]}
