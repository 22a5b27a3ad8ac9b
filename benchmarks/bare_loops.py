"""The ceilings of `training.py`: a network's loss in a loop with nothing else in it.

No task, no schedule, no clipping, no check of the loss: resident tensors, one fused Adam. Where
`cove train` is near, what is left is the network itself.
"""

import math
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.training_jobs import Job, clicks_of, preferences_of
from cove.vocabulary import NUM_SPECIAL

D = 64


def _ranking(job: Job) -> tuple[int, nn.Module, Callable[[Tensor], Tensor]]:
    """BPRMF: its rows, its tables and the loss of some rows; negatives may be any item."""
    task = preferences_of(job)
    users, items = task.train.users, task.train.items
    made = nn.ModuleList(
        [nn.Embedding(NUM_SPECIAL + len(each), D) for each in (task.users, task.items)]
    )

    def loss(rows: Tensor) -> Tensor:
        negatives = torch.randint(NUM_SPECIAL, NUM_SPECIAL + len(task.items), rows.shape)
        user = made[0](users[rows])
        pair = made[1](torch.stack([negatives, items[rows]]))
        return F.softplus((user * (pair[0] - pair[1])).sum(dim=1)).mean()

    return len(users), made, loss


def _clicks(job: Job) -> tuple[int, nn.Module, Callable[[Tensor], Tensor]]:
    """DeepFM: the same."""
    task = clicks_of(job)
    samples = task.train
    counts = [NUM_SPECIAL + len(each) for each in (task.users, task.items)]
    tables = nn.ModuleList([nn.Embedding(count, D) for count in counts])
    firsts = nn.ModuleList([nn.Embedding(count, 1) for count in counts])
    layers: list[nn.Module] = []
    for before, behind in ((2 * D, 1000), (1000, 1000), (1000, 1000)):
        layers += [nn.Linear(before, behind), nn.ReLU(), nn.Dropout(job.dropout)]
    deep = nn.Sequential(*layers, nn.Linear(1000, 1))
    made = nn.ModuleList([tables, firsts, deep])

    def loss(rows: Tensor) -> Tensor:
        ids = samples.users[rows], samples.items[rows]
        user, item = (table(one) for table, one in zip(tables, ids, strict=True))
        logits = (user * item).sum(dim=1) + deep(torch.cat([user, item], dim=1)).squeeze(1)
        for first, one in zip(firsts, ids, strict=True):
            logits = logits + first(one).squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, samples.labels[rows])

    return len(samples), made, loss


BARE = {"bprmf": _ranking, "deepfm": _clicks}
"""The recommenders that have such a loop."""


class BareTrainer:
    """A bare loop, in blocks of batches."""

    def __init__(self, job: Job) -> None:
        torch.manual_seed(job.seed)
        self.size, self.batch = 0, job.batch
        self.size, made, self.loss = BARE[job.recommender](job)
        self.optimizer = torch.optim.Adam(made.parameters(), lr=job.learning_rate, fused=True)
        self.stream = self._rows()
        self.about = {"rows": self.size, "batches": math.ceil(self.size / job.batch)}

    def _rows(self) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(self.size).split(self.batch)

    def block(self, batches: int) -> dict[str, Any]:
        """Train on so many batches."""
        started, rows = time.process_time(), 0
        for _ in range(batches):
            some = next(self.stream)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(some).backward()
            self.optimizer.step()
            rows += len(some)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": seconds, "rows": rows, "terms": rows, "peak": peak}
