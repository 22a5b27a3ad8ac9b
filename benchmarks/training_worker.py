"""Our side of `training.py`: a recommender in the loop of `cove train`.

python -m benchmarks.training_worker JOB    (JSON: see `Job` in training_jobs.py)
"""

import json
import math
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import cove  # noqa: F401  (first: it sets how OpenMP's threads wait)

# isort: split
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.bare_loops import BareTrainer
from benchmarks.training_jobs import (
    DATA,
    Job,
    answer_requests,
    clicks_of,
    numbered_lists,
    preferences_of,
)
from cove.batches import ListBatch, pad_lists
from cove.memory import keep_freed_memory
from cove.objective import Objective, ObjectiveSettings
from cove.recommenders import CLICKS, LISTS, RECOMMENDERS, build_recommender
from cove.vocabulary import NUM_SPECIAL, PAD
from training.code_sizes import fit_code_sizes
from training.datasets import load_data
from training.loop import revive, seed_everything, train_step
from training.optimisation import Optimizer, TrainingSettings, choose_sparse_tables
from training.preparing import new_objective
from training.resolving import resolve
from training.tasks import prepare_task
from training.watching import LineWatcher

PRODUCTS = {
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::baddbmm",
    "aten::addmv",
    "aten::mkldnn_convolution",
    "aten::convolution_backward",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
}
"""Operators that are products of matrices, or little else."""
EQUAL: dict[str, dict[str, object]] = {
    "caser": {"loss": "softmax", "window": 5, "next_items": 1},
    "gru4rec": {},
    "sasrec": {"loss": "softmax"},
    "bert4rec": {"masking": 0.2, "last_only": 0.1},
    "dcn": {},
    "deepfm": {},
    "bprmf": {"regularization": 0.0},
    "neumf": {"widths": [128, 64]},
    "cfkg": {"distance": "euclidean", "margin": 1.0, "facts_per_interaction": 1.0},
    "lightgcn": {"regularization": 0.0001, "layers": 3},
}
"""RecBole's settings in our names, beside dropout and length."""


class PaddedLists:
    """RecBole's rows of lists: each prefix with the item behind it, padded to the full length; or
    each list once. The last two items of every list are held out."""

    def __init__(self, job: Job) -> None:
        lists = numbered_lists(job)
        self.num_items = 1 + max(max(one) for one in lists)
        indices = [[item + NUM_SPECIAL for item in one] for one in lists]
        self.held_out = [one[-job.length - 1 :] for one in indices]
        rows = [one[:-2] for one in indices]
        if job.reading == "padded":
            ends = [(one, end) for one in rows for end in range(1, len(one))]
            rows = [one[max(0, end - job.length) : end + 1] for one, end in ends]
        self.tokens = pad_lists(rows)
        self.sizes = (self.tokens != PAD).sum(dim=1)
        self.padded = job.reading == "padded"

    def __len__(self) -> int:
        return len(self.tokens)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[ListBatch]:
        """An epoch; whole lists come in batches of like length."""
        order = torch.randperm(len(self.tokens), generator=generator)
        if not self.padded:
            order = order[self.sizes[order].argsort(stable=True)]
        chunks = list(order.split(size))
        for chunk in torch.randperm(len(chunks), generator=generator).tolist():
            rows = self.tokens[chunks[chunk]]
            longest = self.tokens.shape[1] if self.padded else int(self.sizes[chunks[chunk]].max())
            yield ListBatch(rows[:, :0], rows[:, :longest])

    @torch.no_grad()
    def evaluate(self, recommender: Any, split: str) -> dict[str, float]:
        """Full-ranking NDCG@10 of the last item but one (`valid`) or the last (`test`)."""
        gains = []
        for start in range(0, len(self.held_out), 512):
            part = self.held_out[start : start + 512]
            part = part if split == "test" else [one[:-1] for one in part]
            given = pad_lists([one[:-1] for one in part])
            sizes = torch.tensor([[len(one) - 1] for one in part])
            table = recommender.items.all()
            scores = recommender.head(recommender.next_states(given, sizes, table), table)
            wanted = torch.tensor([[one[-1] - NUM_SPECIAL] for one in part])
            rank = (scores > scores.gather(1, wanted)).sum(dim=1)
            gains.append(torch.where(rank < 10, 1 / (rank + 2.0).log2(), 0.0))
        return {"ndcg_at_10": float(torch.cat(gains).mean())}


def next_of_padded(recommender: Any, batch: ListBatch) -> Tensor:
    """The loss of RecBole's rows, each asked for its last item alone."""
    rows = batch.targets
    sizes = (rows != PAD).sum(dim=1, keepdim=True) - 1
    wanted = rows.gather(1, sizes).squeeze(1)
    tokens = rows.scatter(1, sizes, PAD)[:, :-1]
    table = recommender.items.all()
    scores = recommender.head(recommender.next_states(tokens, sizes, table), table)
    return F.cross_entropy(scores, wanted - NUM_SPECIAL)


class Trainer:
    """A recommender in training, in blocks of batches."""

    def __init__(self, job: Job) -> None:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        self.job = job
        self.rows = self.terms = self.epoch = self.taken = 0
        self.task, self.objective, self.settings = _equal(job) if job.equal else _own(job)
        self.recommender = self.objective.recommender
        self._predict, self.recommender.predict = self.recommender.predict, self._counted
        self.optimizer = Optimizer(self.objective, self.settings)
        self.stream = self._batches()
        train = self.task if job.task == LISTS and job.equal else self.task.train
        self.about = {"rows": len(train), "batches": math.ceil(len(train) / job.batch)}

    def _counted(self, batch: Any) -> Any:
        prediction = self._predict(batch)
        self.rows += len(batch[0])
        self.terms += len(batch[0] if prediction.targets is None else prediction.targets)
        return prediction

    def _batches(self) -> Iterator[Any]:
        while True:
            self.epoch += 1
            seed_everything(self.job.seed, self.epoch)
            generator = torch.Generator().manual_seed(torch.initial_seed())
            self.recommender.start_epoch(2, 5)  # FANS' curriculum at its mean
            self.objective.train()
            self.optimizer.start_epoch()
            yield from self.task.batches(self.job.batch, generator)
            self.optimizer.end_epoch()

    def step(self) -> float:
        """One update, as in the loop; the loss."""
        self.taken += 1
        batch = next(self.stream)
        self.optimizer.set_learning_rate(0, self.taken)
        if self.job.reading == "padded" and self.job.recommender != "bert4rec":
            loss = next_of_padded(self.recommender, batch)
            self.optimizer.step(loss)
            self.rows, self.terms = self.rows + len(batch[0]), self.terms + len(batch[0])
            return float(loss.detach())
        parts = train_step(self.objective, self.optimizer, batch)
        revive(self.recommender, self.taken)
        return float(parts[0])

    def block(self, batches: int) -> dict[str, float]:
        """See `Answers`."""
        self.rows = self.terms = 0
        started, total = time.process_time(), 0.0
        for _ in range(batches):
            total += self.step()
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        counts = {"rows": self.rows, "terms": self.terms}
        return {"seconds": seconds, "loss": total / batches, "peak": peak} | counts

    def products(self, batches: int) -> dict[str, float]:
        """See `Answers`."""
        with profile(activities=[ProfilerActivity.CPU]) as found:
            for _ in range(batches):
                self.step()
        times = {event.key: event.self_cpu_time_total for event in found.key_averages()}
        return {"share": sum(times.get(name, 0.0) for name in PRODUCTS) / sum(times.values())}

    def evaluate(self, split: str) -> dict[str, float]:
        """See `Answers`."""
        self.optimizer.end_epoch()
        self.objective.eval()
        found = self.task.evaluate(self.recommender, split)
        self.objective.train()
        self.optimizer.start_epoch()
        return {"score": found["auc" if self.job.task == CLICKS else "ndcg_at_10"]}


def _own(job: Job) -> tuple[Any, Objective, TrainingSettings]:
    """Task, objective and settings as `cove train` has them; codes have started.

    Those of `default` are random ones: a step costs the same, and k-means takes minutes.
    """
    sizes = () if job.form else None
    values: dict[str, str] = {"form": job.form} if job.form else {}
    if job.form == "default":
        values["assignment"] = "random"
    users = None if job.task == LISTS else sizes
    arguments = (job.recommender, DATA[job.task], sizes, job.seed, values)
    settings = resolve(*arguments, user_code_sizes=users)
    data = load_data(settings.data, job.source, settings.filter)
    task = prepare_task(data, job.seed, settings.task_options)
    watcher = LineWatcher(1, quiet=True)
    settings = fit_code_sizes(settings, task, watcher)
    settings = settings.model_copy(
        update={"training": settings.training.model_copy(update={"batch_size": job.batch})}
    )
    objective = new_objective(settings, task, watcher)
    for entity in objective.recommender.entities().values():
        entity.start_codes(job.seed)
    return task, objective, settings.training


def _equal(job: Job) -> tuple[Any, Objective, TrainingSettings]:
    """Task, objective and settings as RecBole has them."""
    lists = PaddedLists(job) if job.task == LISTS else None
    prepare = clicks_of if job.task == CLICKS else preferences_of
    task: Any = lists or prepare(job)
    common = {
        "dropout": job.dropout,
        "attention_dropout": job.dropout,
        "max_length": job.length + 1,
    }
    known = RECOMMENDERS[job.recommender].settings.model_fields
    values = {name: value for name, value in common.items() if name in known}
    values |= EQUAL[job.recommender]
    settings = TrainingSettings(
        batch_size=job.batch, learning_rate=job.learning_rate, warmup_steps=0
    )
    seed_everything(job.seed, 0)
    sizes = (lists.num_items, None, None) if lists else (len(task.items), None, len(task.users))
    made: Any = build_recommender(job.recommender, values, *sizes)
    if lists:
        counts = torch.bincount(lists.tokens.flatten(), minlength=NUM_SPECIAL + lists.num_items)
        made.start_from_popularity(counts[NUM_SPECIAL:])
    else:
        choose_sparse_tables(made, settings)
        task.start(made, job.seed, print)
    return task, Objective(made, ObjectiveSettings()), settings


def main() -> None:
    """Answer until standard input ends."""
    torch.set_num_threads(1)
    keep_freed_memory()
    values = json.loads(sys.argv[1])
    job = Job(**{name: values[name] for name in Job._fields})
    answer_requests(BareTrainer(job) if job.bare else Trainer(job))


if __name__ == "__main__":
    main()
