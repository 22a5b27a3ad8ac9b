"""Training speed of SASRec, GRU4Rec and BERT4Rec beside RecBole 1.2.1's, on the same lists.

    python benchmarks/sequential_training.py --data aotm --from DIR --peer-python PEER/bin/python

Each side is a process of its own with one thread; blocks of batches take turns, A B A B, and are
timed as CPU time. RecBole trains with its own loader and loop (`recbole_worker.py`). Three
readings:

- `padded`: RecBole's own rows, every prefix of a list with the item behind it as the one target,
  padded to the full length on both sides.
- `by length`: the same rows and targets; ours come in batches of like length, cut to the longest.
- `lists`: ours trains every position of a list in one pass, as `cove train` does, RecBole a row a
  position. Compared for an epoch over the same lists: the same predicted positions for SASRec and
  GRU4Rec. RecBole's BERT4Rec masks a fifth of every prefix, so that an epoch of it predicts far
  more positions than ours: there the per-row columns are the fair ones.

Equal: lists, rows, layers (3), heads (8), D (64), inner width (256), gelu, dropout (also of the
attention weights), batch size, learning rate, full cross-entropy, Adam. Not equal: ours clips
gradients, uses the fused Adam, normalises before sublayers (RecBole after), joins query, key and
value in one product, has biases in its GRU and dropout between the GRU's layers; RecBole's BERT4Rec
has one more D × D layer before the head, and scores a fixed number of places a row, real or not.

RecBole's sequential models are imported together, and SINE's file then turns autograd's anomaly
detection on for all of them. It is turned off here, which makes RecBole faster; --as-shipped
leaves it on.

--quality trains both for some epochs at these settings and prints the NDCG@10 of the last item
of each list, ranked among all items; the last two items are in no training row.

RecBole's environment: Python 3.11 with torch 2.13.0, numpy 1.26.4, pandas 2.2.3, scipy 1.11.4,
scikit-learn<1.6, setuptools<81, recbole 1.2.1, and a sitecustomize.py in its site-packages:

    import functools, torch
    torch.load = functools.partial(torch.load, weights_only=False)
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch
import torch.nn.functional as F
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.recommenders import RECOMMENDERS, build_recommender
from cove.recommenders.next_item import NextItemCompleter
from cove.vocabulary import NUM_SPECIAL, PAD
from training.datasets import load_lists
from training.optimisation import TrainingSettings

LENGTHS = {"ml100k": 50, "aotm": 60}
READINGS = ("padded", "by length", "lists")


class Job(NamedTuple):
    """What a worker is to train. Lists lie in `folder`, as JSON and as RecBole's own format."""

    folder: str
    recommender: str
    reading: str
    length: int
    batch: int
    layers: int
    dropout: float
    learning_rate: float
    seed: int
    as_shipped: bool


class Rows:
    """Training rows of one reading, in endless shuffled batches.

    `padded` and `by length`: RecBole's rows, each prefix of a list with the item behind it;
    `lists`: each list once. The last two items of every list are held out.
    """

    def __init__(self, job: Job) -> None:
        lists = json.loads(Path(job.folder, "lists.json").read_text(encoding="utf-8"))
        self.num_items = 1 + max(max(one) for one in lists)
        indices = [[item + NUM_SPECIAL for item in one] for one in lists]
        self.held_out = [one[-job.length - 1 :] for one in indices]
        rows = [one[:-2] for one in indices]
        if job.reading != "lists":
            ends = [(one, end) for one in rows for end in range(1, len(one))]
            rows = [one[max(0, end - job.length) : end + 1] for one, end in ends]
        self.tokens = pad_lists(rows)
        self.sizes = (self.tokens != PAD).sum(dim=1)
        self.job = job

    def batches(self) -> Iterator[Tensor]:
        """Batches [B, L + 1] for ever, cut to their longest row unless all are padded alike."""
        size = self.job.batch
        while True:
            order = torch.randperm(len(self.tokens))
            if self.job.reading != "padded":
                order = order[self.sizes[order].argsort(stable=True)]
            chunks = list(order.split(size))
            if len(chunks[-1]) < size and len(chunks) > 1:
                chunks.pop()
            for chunk in torch.randperm(len(chunks)).tolist():
                rows = self.tokens[chunks[chunk]]
                longest = int(self.sizes[chunks[chunk]].max())
                yield rows if self.job.reading == "padded" else rows[:, :longest]


class Trainer:
    """COVE's side: the recommender in the loop of `cove train`."""

    def __init__(self, job: Job) -> None:
        torch.manual_seed(job.seed)
        self.rows, self.job = Rows(job), job
        wanted: dict[str, object] = {
            "layers": job.layers,
            "dropout": job.dropout,
            "attention_dropout": job.dropout,
            "loss": "softmax",
            "masking": 0.2,
            "last_only": 0.1,
            "max_length": job.length + 1,
        }
        known = RECOMMENDERS[job.recommender].settings.model_fields
        own = {name: value for name, value in wanted.items() if name in known}
        made = build_recommender(job.recommender, own, self.rows.num_items, None)
        assert isinstance(made, NextItemCompleter)
        self.recommender = made.train()
        indices = NUM_SPECIAL + self.rows.num_items
        counts = torch.bincount(self.rows.tokens.flatten(), minlength=indices)
        self.recommender.start_from_popularity(counts[NUM_SPECIAL:])
        self.optimizer = torch.optim.Adam(made.parameters(), lr=job.learning_rate, fused=True)
        self.batches = self.rows.batches()

    def _loss(self, rows: Tensor) -> Tensor:
        if self.job.reading == "lists":
            return self.recommender.predict(ListBatch(rows[:, :0], rows)).loss
        sizes = (rows != PAD).sum(dim=1, keepdim=True) - 1
        wanted = rows.gather(1, sizes).squeeze(1)
        tokens = rows.scatter(1, sizes, PAD)[:, :-1]
        if self.job.recommender == "bert4rec":
            return self.recommender.predict(ListBatch(tokens[:, :0], tokens)).loss
        table = self.recommender.items.all()
        scores = self.recommender.head(self.recommender.next_states(tokens, sizes, table), table)
        return F.cross_entropy(scores, wanted - NUM_SPECIAL)

    def block(self, batches: int) -> dict[str, float]:
        """Train on so many batches."""
        rows, total, started = 0, 0.0, time.process_time()
        for _ in range(batches):
            batch = next(self.batches)
            loss = self._loss(batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(
                self.recommender.parameters(), TrainingSettings().gradient_norm
            )
            self.optimizer.step()
            rows, total = rows + len(batch), total + float(loss.detach())
        return {"seconds": time.process_time() - started, "rows": rows, "loss": total / batches}

    @torch.no_grad()
    def evaluate(self, split: str) -> dict[str, float]:
        """Full-ranking NDCG@10 of the last item but one (`valid`) or the last (`test`)."""
        self.recommender.eval()
        gains = []
        for start in range(0, len(self.rows.held_out), 512):
            part = self.rows.held_out[start : start + 512]
            part = part if split == "test" else [one[:-1] for one in part]
            given = pad_lists([one[:-1] for one in part])
            sizes = torch.tensor([[len(one) - 1] for one in part])
            table = self.recommender.items.all()
            scores = self.recommender.head(self.recommender.next_states(given, sizes, table), table)
            wanted = torch.tensor([[one[-1] - NUM_SPECIAL] for one in part])
            rank = (scores > scores.gather(1, wanted)).sum(dim=1)
            gains.append(torch.where(rank < 10, 1 / (rank + 2.0).log2(), 0.0))
        self.recommender.train()
        return {"ndcg_at_10": float(torch.cat(gains).mean())}


def work(job: Job) -> None:
    """Be a worker: answer each line of standard input with one of JSON."""
    torch.set_num_threads(1)
    trainer = Trainer(job)
    answer_requests(trainer, {"rows": len(trainer.rows.tokens), "torch": torch.__version__})


class Answers(Protocol):
    """What a worker trains with, and measures by."""

    def block(self, batches: int) -> dict[str, float]:
        """Train on so many batches."""

    def evaluate(self, split: str) -> dict[str, float]:
        """NDCG@10 of a split."""


def answer_requests(trainer: Answers, about: Mapping[str, object]) -> None:
    """Say what there is to train on, then answer each line of standard input with one of JSON."""
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "evaluate" in request:
            answer = trainer.evaluate(request["evaluate"])
        else:
            answer = trainer.block(request["batches"])
        print(json.dumps(answer), flush=True)


class Worker:
    """A side in a process of its own."""

    def __init__(self, command: list[str], job: Job) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        self.process = subprocess.Popen(
            [*command, json.dumps(job._asdict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=job.folder,
        )
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise SystemExit(f"the worker {self.process.args} stopped")

    def ask(self, **request: object) -> dict[str, Any]:
        """One request, one answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def write_lists(name: str, directory: Path, folder: Path) -> int:
    """Write the lists for both sides; the padded length."""
    length = LENGTHS.get(name, 50)
    known: dict[object, int] = {}
    lists = [one[-length - 3 :] for one in load_lists(name, directory).lists]
    numbered = [[known.setdefault(item, len(known)) for item in one] for one in lists]
    (folder / "lists.json").write_text(json.dumps(numbered), encoding="utf-8")
    (folder / "lists").mkdir()
    with (folder / "lists" / "lists.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, items in enumerate(numbered):
            file.writelines(f"u{user}\ti{item}\t{place}\n" for place, item in enumerate(items))
    return length


def compare(ours: Worker, peer: Worker, repeats: int, batches: int) -> tuple[float, float]:
    """Median CPU microseconds a row of both sides, blocks taking turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for side in (ours, peer):
        side.ask(batches=2)
    for _ in range(repeats):
        for side, found in zip((ours, peer), times, strict=True):
            answer = side.ask(batches=batches)
            found.append(answer["seconds"] / answer["rows"] * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def quality(ours: Worker, peer: Worker, job: Job, epochs: int) -> str:
    """NDCG@10 of both sides after each epoch, on the last item but one and on the last."""
    cells = []
    for side in (ours, peer):
        scores = []
        for _ in range(epochs):
            side.ask(batches=-(-side.about["rows"] // job.batch))
            found = [side.ask(evaluate=split)["ndcg_at_10"] for split in ("valid", "test")]
            scores.append((found[0], found[1]))
        best = max(scores)
        cells.append(f"{best[1]:.4f} (epoch {scores.index(best) + 1})")
    return " | ".join(cells)


def parse() -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml100k")
    parser.add_argument("--from", dest="directory", type=Path, required=True)
    parser.add_argument("--peer-python", required=True, help="the Python that has RecBole")
    parser.add_argument("--recommenders", default="sasrec,gru4rec,bert4rec")
    parser.add_argument("--readings", default=",".join(READINGS))
    parser.add_argument("--repeats", type=int, default=5, help="blocks a side")
    parser.add_argument("--batches", type=int, default=4, help="batches a block")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--as-shipped", action="store_true", help="leave anomaly detection on")
    parser.add_argument("--quality", type=int, default=0, metavar="EPOCHS")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 2 and sys.argv[1] == "work":
        work(Job(**json.loads(sys.argv[2])))
        return
    options = parse()
    here = Path(__file__).resolve()
    peer_command = [options.peer_python, str(here.with_name("recbole_worker.py"))]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; "
        f"Python {platform.python_version()}, torch {version('torch')}, cove {cove.__version__}"
    )
    print(f"{options.data}, batches of {options.batch_size}, dropout {options.dropout}\n")
    if options.quality:
        print("| recommender | reading | COVE's NDCG@10 | RecBole's |\n| --- | --- | --- | --- |")
    else:
        print("| recommender | reading | COVE, CPU µs a row | RecBole | ratio | ratio an epoch |")
        print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        length = write_lists(options.data, options.directory, Path(place))
        for name in options.recommenders.split(","):
            for reading in options.readings.split(","):
                sizes = (length, options.batch_size, options.layers, options.dropout)
                rest = (options.learning_rate, options.seed, options.as_shipped)
                job = Job(place, name, reading, *sizes, *rest)
                ours = Worker([sys.executable, str(here), "work"], job)
                peer = Worker(peer_command, job)
                if options.quality:
                    row = quality(ours, peer, job, options.quality)
                else:
                    first, second = compare(ours, peer, options.repeats, options.batches)
                    ratio = second / first
                    epoch = ratio * peer.about["rows"] / ours.about["rows"]
                    row = f"{first:.0f} | {second:.0f} | {ratio:.2f} | {epoch:.2f}"
                print(f"| {name} | {reading} | {row} |", flush=True)
                for side in (ours, peer):
                    side.close()


if __name__ == "__main__":
    main()
