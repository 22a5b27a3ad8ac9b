"""Rank what every test user held out among all items: CPU time beside `implicit` and RecBole.

    python -m benchmarks.full_ranking --from DATA --peer-python PEER/bin/python

DATA holds the folder `toys`; the split, D = 64 and the tables' sizes are the same on all sides, the
weights are random. Sides take turns, each on one thread; medians over the repeats. `COVE` is the
whole evaluation of `cove train`, metrics of both protocols among them; `implicit` only its best ten
items of every user (`recommend`, in its own batches of 1,000), where scores are products; RecBole
its whole evaluation. NeuMF is left out unless asked for: RecBole takes minutes a turn.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

if not __package__:  # a script's folder comes first on Python's path, and this is no package there
    raise SystemExit("run it from the repository's folder, as a module: python -m benchmarks.NAME")
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before numpy is read

from benchmarks.machine import described  # first: cove sets how OpenMP's threads wait

# isort: split
import numpy as np
import torch
from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase
from scipy.sparse import csr_matrix

from benchmarks.training import closed, peer, started
from benchmarks.training_jobs import Job, preferences_of, write_files
from benchmarks.training_worker import EQUAL
from cove.memory import keep_freed_memory
from cove.recommenders import build_recommender
from cove.vocabulary import NUM_SPECIAL
from training.tasks.collaborative_filtering import CollaborativeFiltering

_USERS_AT_ONCE = 1000
"""As `implicit.evaluation.ranking_metrics_at_k` has them."""


class _Factors(MatrixFactorizationBase):
    """Given tables in the place of trained ones."""

    def __init__(self, users: np.ndarray, items: np.ndarray) -> None:
        super().__init__(num_threads=1)
        self.user_factors, self.item_factors = users, items

    def fit(self, user_items: Any, show_progress: bool = True) -> None:
        """Nothing is trained."""

    def save(self, file: Any) -> None:
        """Nothing is kept."""


class Ours:
    """`cove train`'s evaluation of the test users, and the same users by `implicit`."""

    def __init__(self, job: Job) -> None:
        self.task: CollaborativeFiltering = preferences_of(job)
        self.recommender: Any = build_recommender(
            job.recommender,
            EQUAL[job.recommender],
            len(self.task.items),
            None,
            len(self.task.users),
        )
        self.task.start(self.recommender, job.seed, lambda _: None)
        known = self.task.test.users[self.task.test.known()]
        self.users = known.numpy() - NUM_SPECIAL
        histories = self.task.test.left_out
        shape = len(self.task.users), len(self.task.items)
        indices = histories.items.numpy() - NUM_SPECIAL
        starts = histories.starts[NUM_SPECIAL:].numpy()
        self.seen = csr_matrix((np.ones(len(indices), np.float32), indices, starts), shape)
        self.factors: _Factors | None = None
        with torch.no_grad():
            self.recommender.eval()
            if self.recommender.products(known[:1]) is not None:
                tables = (table[NUM_SPECIAL:].numpy() for table in self.recommender.tables())
                self.factors = _Factors(*tables)

    def evaluate(self) -> float:
        """CPU seconds of ours."""
        self.recommender.train()  # forgets the tables that it kept
        self.recommender.eval()
        begun = time.process_time()
        self.task.evaluate(self.recommender, "test")
        return time.process_time() - begun

    def best_by_implicit(self) -> float | None:
        """CPU seconds of `implicit`'s best ten items."""
        if self.factors is None:
            return None
        begun = time.process_time()
        for start in range(0, len(self.users), _USERS_AT_ONCE):
            users = self.users[start : start + _USERS_AT_ONCE]
            self.factors.recommend(users, self.seen[users], N=10)
        return time.process_time() - begun


def compare(name: str, options: argparse.Namespace) -> str:
    """A recommender's line."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(name, str(options.directory.resolve()), folder, equal=True)
        ours, peers = Ours(job), []
        if options.peer_python:
            write_files(job)
            peers = started([(peer(options), job)])
        turns = []
        for _ in range(options.repeats + 1):
            others = [side.ask(evaluate="test")["seconds"] for side in peers]
            turns.append((ours.evaluate(), ours.best_by_implicit(), *others))
        closed(peers)
    own, implicit, *recbole = zip(*turns[1:], strict=True)
    cells = [f"{statistics.median(own):.2f}"]
    for times in (implicit, *recbole):
        if times[0] is None:
            cells += ["", ""]
            continue
        ratio = statistics.median(b / a for a, b in zip(own, times, strict=True))
        cells += [f"{statistics.median(times):.2f}", f"{ratio:.2f}"]
    return f"| {name} | {len(ours.users):,} | {len(ours.task.items):,} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--peer-python", help="the Python that has RecBole")
    parser.add_argument("--recommenders", default="bprmf,cfkg,lightgcn", help="names with commas")
    parser.add_argument("--repeats", type=int, default=5, help="turns a side")
    options = parser.parse_args()
    options.peer_as_it_comes = False
    torch.set_num_threads(1)
    keep_freed_memory()
    print(f"{described('torch', 'implicit')}; 1 thread\n")
    columns = ["recommender", "users", "items", "COVE, s", "implicit, s", "times ours"]
    columns += ["RecBole, s", "times ours"] if options.peer_python else []
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name in options.recommenders.split(","):
        print(compare(name, options), flush=True)


if __name__ == "__main__":
    main()
