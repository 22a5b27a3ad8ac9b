"""The processes of `benchmarks/serving.py`: an artifact's maker, the server, the bare model."""

import json
import statistics
import sys
import time
from pathlib import Path

# isort: split
import torch

from app.schemas import CompletionRequest, ListCompletion
from app.server import application, run
from app.settings import Settings
from cove.artifact import Manifest, read_artifact, write_artifact
from cove.batches import ListBatch, pad_lists
from cove.entity_tables import EntityTables
from cove.memory import keep_freed_memory
from cove.recommenders import ListCompleter, build_recommender
from cove.vocabulary import Vocabulary

K, REPEATS, CODES = 10, 9, (500, 10)


def make(directory: Path, name: str, num_items: int) -> None:
    """Write an artifact of random tables, with codes."""
    torch.manual_seed(0)
    recommender = build_recommender(name, {}, num_items).eval()
    assert isinstance(recommender, ListCompleter)
    fine, parents = torch.randint(CODES[0], (num_items,)), torch.arange(CODES[0]) % CODES[1]
    width = recommender.items.dimensions
    tables = EntityTables(
        vocabulary=Vocabulary([str(item) for item in range(num_items)]),
        table=recommender.items.weight.detach(),
        codes=torch.stack([fine, parents[fine]], dim=1),
        parents=[parents],
        codebooks=[torch.randn(size, width) for size in CODES],
        popularity=torch.randint(1, 1000, (num_items,)),
        titles=[f"Item {item}" for item in range(num_items)],
    )
    manifest = Manifest(
        task="list_completion", recommender=name, settings={}, quantizers={}, training={},
        num_items=num_items, counts={}, data_name="random", data_sha256="", seed=0, epochs=0,
        metrics={}, code_use={}, code_version="",
    )  # fmt: skip
    write_artifact(directory, manifest, recommender, {"item": tables})


def serve(artifacts: Path, port: int) -> None:
    """The server as `cove serve` runs it, with a call that does nothing but check its body."""
    settings = Settings(artifacts=artifacts, port=port)
    app = application(settings)

    @app.post("/empty")
    async def empty(request: CompletionRequest) -> ListCompletion:
        return ListCompletion(items=[], source="model", unknown_items=[], model=str(request.k))

    run(app, settings)


def bare(directory: Path, batch: int) -> None:
    """Print the CPU microseconds a list of `complete` on lists read from standard input."""
    torch.set_num_threads(1)
    keep_freed_memory()
    artifact = read_artifact(directory)
    recommender, vocabulary = artifact.load_recommender(), artifact.items.vocabulary
    assert isinstance(recommender, ListCompleter)
    recommender.pack()
    lists = [vocabulary.encode(each)[0] for each in json.load(sys.stdin)]
    parts = [lists[start : start + batch] for start in range(0, len(lists), batch)]
    batches = [ListBatch(pad_lists(each), torch.zeros((len(each), 0), dtype=torch.int64))
               for each in parts]  # fmt: skip
    times = []
    for place in range(REPEATS + 1):
        start = time.process_time()
        recommender.complete(batches[place % len(batches)], K)
        times.append((time.process_time() - start) / batch)
    print(statistics.median(times[1:]) * 1e6)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        make(Path(rest[0]), rest[1], int(rest[2]))
    elif what == "serve":
        serve(Path(rest[0]), int(rest[1]))
    else:
        bare(Path(rest[0]), int(rest[1]))
