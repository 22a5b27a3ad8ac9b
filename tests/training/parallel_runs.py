"""Runs that `test_parallel` and `test_sharding` compare: by one process in the test, by several
here, under torchrun.

torchrun --nproc-per-node 2 -m tests.training.parallel_runs runs FOLDER
torchrun --nproc-per-node 3 -m tests.training.parallel_runs tables FOLDER
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from cove.artifact import Manifest
from cove.batches import PairBatch
from cove.objective import Objective, ObjectiveSettings
from cove.recommenders import build_recommender
from cove.row_table import RowTable
from tests.training.worlds import (
    CLICKS_SMALL,
    SMALL,
    Watcher,
    open_at,
    planted_clicks,
    planted_file,
)
from training import loop
from training.checkpoint import Progress, read_standing
from training.errors import TrainingError
from training.optimisation import Optimizer, TrainingSettings
from training.parallel import ALONE, Processes, under_torchrun
from training.resolving import resolve
from training.run_settings import RunSettings
from training.sharding import gather_tables, shard_tables
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
SELDOM: dict[str, dict[str, object]] = {"seldom": {"form": "default", "update_interval": 8}}
"""Codes that move within an epoch of six steps, and at its end."""
PLAIN: dict[str, dict[str, object]] = {"dense": {}, "rows": {"row_sparse": "always"}}
"""Without COVE: all rows are updated in every step, or those of the batch alone."""
RUNS = {
    **{("sasrec", form): LISTS for form in FORMS},
    **{("bprmf", form): PREFERENCES for form in (FORMS | SELDOM | PLAIN)},
    **{("deepfm", form): CLICKS for form in FORMS},
    ("neumf", "default"): PREFERENCES | STILL,
}
"""Settings by recommender and form."""
SHARDED = "-sharded"
SHARDED_RUNS = {
    (recommender, form + SHARDED): settings | {"embedding_sharding": "rows"}
    for (recommender, form), settings in RUNS.items()
    if recommender != "sasrec"  # with this loss each of its steps takes the whole table
}


def settings_of(recommender: str, form: str, folder: Path) -> RunSettings:
    """The settings of a run on planted data."""
    values: dict[str, object] = {
        name: value for name, value in (RUNS | SHARDED_RUNS)[recommender, form].items()
        if name not in {"form", "initialization", "alpha"}
    }  # fmt: skip
    kind = {"sasrec": "lists", "deepfm": "clicks"}.get(recommender, "interactions")
    form = form.removesuffix(SHARDED)
    sizes = None if form in PLAIN else (12, 4)
    users = None if recommender == "sasrec" else sizes
    values |= (FORMS | SELDOM | PLAIN)[form]
    return resolve(
        recommender, str(folder / f"{kind}.csv"), sizes, 0, values, user_code_sizes=users
    )


def write_data(folder: Path) -> None:
    """The files of all runs."""
    planted_file(folder, "lists.csv")
    clicked = planted_clicks(folder, "clicks.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in clicked]
    pairs = dict.fromkeys(f"{user},{item}" for user, item, label, _ in rows if label == "1")
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id", *pairs]) + "\n")


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


def broken_off(form: str, folder: Path, output: Path, processes: Processes = ALONE) -> None:
    """A run that ends after its first epoch, with a checkpoint."""

    def stops(*arguments: Any) -> None:
        if arguments[4].epoch == 1:
            raise TrainingError("off")
        train_epoch(*arguments)

    train_epoch = loop._train_epoch
    try:
        with patch("training.loop._train_epoch", stops):
            run("bprmf", form, folder, output, processes)
    except TrainingError:
        processes.agree(None)  # the first has written it
        assert read_standing(Place(None, output).checkpoint) is not None


def train_and_keep(file: Path, objective: Objective, *rest: Any) -> Progress:
    """Train, and keep what this process then has."""
    progress = loop.train(objective, *rest)
    torch.save(objective.state_dict(), file)
    return progress


def make_runs(folder: Path, processes: Processes) -> None:
    """All runs, and what each process holds at the end of them."""
    for recommender, form in RUNS | SHARDED_RUNS:
        output = folder / "two" / f"{recommender}-{form}"
        keep = folder / f"{recommender}-{form}-{processes.rank}.pt"
        with patch("training.train.train", partial(train_and_keep, keep)):
            run(recommender, form, folder, output, processes)
    for form in ("evolving", "evolving" + SHARDED):
        run("bprmf", form, folder, folder / "resumed" / form, processes)
    broken_off("evolving" + SHARDED, folder, folder / "shared" / "model", processes)
    (folder / f"done-{processes.rank}").write_text(json.dumps(processes.size))


def bytes_held(processes: Processes = ALONE) -> int:
    """Bytes of tables, gradients and moments that a process holds after a step."""
    torch.manual_seed(0)
    recommender = build_recommender("bprmf", {"dimensions": 8}, 3000, None, 6000)
    objective = Objective(recommender, ObjectiveSettings())
    shard_tables(objective, processes)
    optimizer = Optimizer(objective, TrainingSettings(), processes)
    ids = torch.arange(4, 1000)
    loop.train_step(objective, optimizer, PairBatch(ids, ids, ids[:, None]), processes)
    held = [tensor for kind in optimizer.moments().values() for tensor in kind.values()]
    for weight in objective.parameters():
        assert weight.grad is not None
        held += [weight.detach(), weight.grad]
    return sum(each.untyped_storage().nbytes() for each in held)


ASKED = [[6, 0, 6, 3], [], [5, 6]]
"""Ids that each of three processes looks up in a table of seven rows, r of them (r, −r)."""


def look_up(processes: Processes, sparse: bool) -> dict[str, Any]:
    """What a process finds in a sharded table, and the gradient of rows 2 ids + 1 of its part."""
    table = RowTable(torch.arange(7.0)[:, None] * torch.tensor([1.0, -1.0]))
    table.sparse_gradients = sparse
    shard_tables(table, processes)
    ids = torch.tensor(ASKED[processes.rank], dtype=torch.int64)
    found = table.look_up(ids)
    found.sum().backward()
    gradient = table.weight.grad
    assert gradient is not None
    seen = {"rows": found.tolist(), "own": table.weight.tolist()}
    seen["gradient"] = gradient.to_dense().tolist()
    seen["is_sparse"] = gradient.is_sparse
    gather_tables(table)
    return seen | {"whole": table.whole().tolist()}


def use_tables(folder: Path, processes: Processes) -> None:
    """What each process finds in tables, and what it holds of them."""
    seen: dict[str, Any] = {"dense": look_up(processes, False), "sparse": look_up(processes, True)}
    seen["bytes"] = bytes_held(processes)
    (folder / f"tables-{processes.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with under_torchrun() as those:
        {"runs": make_runs, "tables": use_tables}[sys.argv[1]](Path(sys.argv[2]), those)
