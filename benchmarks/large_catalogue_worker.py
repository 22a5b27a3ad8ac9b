"""The processes of `large_catalogue.py` beside the server: the maker, the exact answers."""

import sys
import time
from pathlib import Path

import numpy as np

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch
import torch.nn.functional as F

from cove.artifact import Manifest, read_artifact, write_artifact
from cove.batches import ListBatch, pad_lists
from cove.entity_tables import EntityTables
from cove.item_index import build_index
from cove.quantization import code_use
from cove.recommenders import build_recommender
from cove.recommenders.bag import Bag
from cove.vocabulary import NUM_SPECIAL, Vocabulary

K, DIMENSIONS, ABOUT_A_CENTRE, COARSE = 10, 64, 200, 64
MOST_CODES = 8192
EXACT_LISTS, EXACT_AT_ONCE = 64, 16


def lists_of(num_items: int, count: int, seed: int = 0) -> list[list[str]]:
    """Lists of 5 to 30 items of one centre; item i lies about centre i % (N / 200)."""
    chance = np.random.default_rng(seed)
    centres = num_items // ABOUT_A_CENTRE
    found = []
    for _ in range(count):
        members = chance.choice(ABOUT_A_CENTRE, chance.integers(5, 31), replace=False)
        items = chance.integers(centres) + centres * members
        found.append([f"item {item}" for item in items.tolist()])
    return found


def _table(num_items: int) -> torch.Tensor:
    """Rows about their centres, special ids first."""
    centres = F.normalize(torch.randn(num_items // ABOUT_A_CENTRE, DIMENSIONS), dim=1)
    table = torch.zeros(NUM_SPECIAL + num_items, DIMENSIONS)
    for rows in torch.split(torch.arange(num_items), 1 << 18):
        noise = torch.randn(len(rows), DIMENSIONS) * (0.5 / DIMENSIONS**0.5)
        table[NUM_SPECIAL + rows] = centres[rows % len(centres)] + noise
    return table


def _tables(table: torch.Tensor, num_items: int, popularity: torch.Tensor) -> EntityTables:
    """With a fine code for every centre or for several, and a coarse one for many of these."""
    num_codes = min(MOST_CODES, num_items // ABOUT_A_CENTRE)
    fine = torch.arange(num_items) % (num_items // ABOUT_A_CENTRE) % num_codes
    parents = torch.arange(num_codes) % COARSE
    codes = torch.stack([fine, parents[fine]], dim=1)
    books = [
        torch.zeros(size, DIMENSIONS).index_add_(0, codes[:, level], table[NUM_SPECIAL:])
        / torch.bincount(codes[:, level], minlength=size)[:, None]
        for level, size in enumerate((num_codes, COARSE))
    ]
    ids = [f"item {item}" for item in range(num_items)]
    titles = [f"Title of {item}" for item in ids]
    return EntityTables(Vocabulary(ids), table, codes, [parents], books, popularity, titles)


@torch.inference_mode()
def make(directory: Path, num_items: int) -> None:
    """Write the artifact, with an index over it."""
    torch.manual_seed(0)
    began = time.perf_counter()
    recommender = build_recommender("bag", {"dimensions": DIMENSIONS}, num_items).eval()
    assert isinstance(recommender, Bag)
    table, popularity = _table(num_items), torch.rand(num_items).clamp(1e-7).rsqrt()
    recommender.items.weight.data = table
    recommender.head.bias.copy_(popularity.log())
    tables = _tables(table, num_items, (popularity * 10).long())
    lists = [tables.vocabulary.encode(each)[0] for each in lists_of(num_items, 256, seed=1)]
    print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    states = recommender.query_states(pad_lists(lists))
    assert states is not None
    index = build_index(table, recommender.head.bias, states)
    facts = "none is good enough" if index is None else index.facts
    print(f"index in {time.perf_counter() - began:.0f} s: {facts}", flush=True)
    sizes = tuple(map(len, tables.codebooks))
    manifest = Manifest(
        task="list_completion", recommender="bag", settings={"dimensions": DIMENSIONS},
        quantizers={"item": {"assignment": "cooccurrence", "code_sizes": sizes}}, training={},
        num_items=num_items, counts={}, data_name="random", data_sha256="", seed=0, epochs=0,
        metrics={},
        code_use={"item": code_use(tables.codes, sizes)}, code_version=cove.__version__,
    )  # fmt: skip
    began = time.perf_counter()
    write_artifact(directory, manifest, recommender, {"item": tables}, index=index)
    print(f"written in {time.perf_counter() - began:.0f} s", flush=True)


@torch.inference_mode()
def recall(directory: Path, num_items: int) -> None:
    """Print how many of the exact ten best are given with the index, list by list."""
    artifact = read_artifact(directory)
    recommender, vocabulary = artifact.load_recommender(), artifact.items.vocabulary
    assert isinstance(recommender, Bag)
    lists = [vocabulary.encode(each)[0] for each in lists_of(num_items, EXACT_LISTS)]
    nothing = torch.zeros((EXACT_AT_ONCE, 0), dtype=torch.int64)
    answers = []
    for index in (None, artifact.read_index()):
        recommender.head.index = index
        parts = [lists[at : at + EXACT_AT_ONCE] for at in range(0, EXACT_LISTS, EXACT_AT_ONCE)]
        found = [recommender.complete(ListBatch(pad_lists(each), nothing), K) for each in parts]
        answers.append(torch.cat([indices for indices, _ in found]).tolist())
    shares = [len({*one} & {*other}) / K for one, other in zip(*answers, strict=True)]
    print(f"recall@{K} of {EXACT_LISTS} lists: {sum(shares) / len(shares):.4f}")


if __name__ == "__main__":
    {"make": make, "recall": recall}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
