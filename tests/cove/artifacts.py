"""Artifacts of small recommenders with random weights."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from cove.artifact import Manifest, write_artifact
from cove.entity_tables import entity_tables
from cove.quantization import QuantizerSettings, code_use
from cove.recommenders import ListCompleter
from cove.vocabulary import Vocabulary
from tests.cove.worlds import VARIANTS, build

NUM_ITEMS = 20
IDS: list[str | int] = [*range(100, 110), "a/b", "ünï", "", "x y", *range(110, 116)]
FILES = [
    "README.md",
    "codes.safetensors",
    "embeddings.safetensors",
    "map.safetensors",
    "search.safetensors",
    "vocabulary.safetensors",
    "weights.safetensors",
]


def write(
    directory: Path,
    recommender: ListCompleter,
    name: str,
    ids: Sequence[str | int] = IDS,
    **changes: object,
) -> Manifest:
    quantizer = recommender.items.quantizer
    chosen = None if quantizer is None else quantizer.settings
    tables = entity_tables(
        recommender.items,
        Vocabulary(ids),
        torch.arange(NUM_ITEMS),
        [f"Title of {external}" for external in ids],
        [["Drama", "War"]] * NUM_ITEMS,
    )
    content = {
        "task": "list_completion",
        "recommender": name,
        "settings": recommender.settings.model_dump(),
        "quantizers": {} if chosen is None else {"item": chosen.model_dump(mode="json")},
        "training": {"objective": {"quantization_weight": 1.0}},
        "num_items": NUM_ITEMS,
        "counts": {"lists": 10, "density": 0.1, "samples": None},
        "data_name": "toy",
        "data_sha256": "0" * 64,
        "seed": 0,
        "epochs": 3,
        "metrics": {"test": {"ndcg_at_10": 1 / 3, "ndcg_at_full_ideal_10": math.nan}},
        "code_use": {"item": code_use(tables.codes, chosen.code_sizes)} if chosen else {},
        "code_version": "",
        "run_id": "0123",
    }
    return write_artifact(directory, Manifest(**(content | changes)), recommender, {"item": tables})


def recommender_with(variant: str, name: str = "fans") -> ListCompleter:
    settings = VARIANTS[variant]
    quantizer = None if settings is None else QuantizerSettings(code_sizes=(8, 4), **settings)
    return build(name, NUM_ITEMS, quantizer)
