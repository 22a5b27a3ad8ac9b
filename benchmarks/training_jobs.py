"""What `training.py` has both sides train on, and the processes that do it.

RecBole reads files of its own; ours reads the data as `cove train` does, and the same split.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from cove.recommenders import CLICKS, LISTS, PREFERENCES, RECOMMENDERS
from training.datasets import load_clicks, load_interactions, load_lists
from training.tasks.click_through import ClickThrough, prepare_clicks
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.negatives import PreferenceSettings

DATA = {LISTS: "aotm", CLICKS: "ml100k", PREFERENCES: "toys"}
BATCH = {LISTS: 256, CLICKS: 1000, PREFERENCES: 1024}
LENGTH = {"caser": 5}
"""Items that a recommender looks back on; else those of the longest list of `aotm`."""
_LONGEST = 60


class Job(NamedTuple):
    """What a worker is to train. `folder` holds RecBole's files."""

    recommender: str
    directory: str
    """The folder of the data sets."""
    folder: str
    reading: str = "own"
    """Of lists: `own`, whole lists, or `padded`, RecBole's rows; else `own`."""
    form: str | None = None
    """COVE's form; None for none."""
    equal: bool = False
    """RecBole's settings, not the defaults of `cove train`."""
    bare: bool = False
    """A loop with nothing in it but the network."""
    dropout: float = 0.1
    learning_rate: float = 0.001
    seed: int = 0

    @property
    def task(self) -> str:
        """What the recommender is for."""
        return RECOMMENDERS[self.recommender].task

    @property
    def source(self) -> Path:
        """The folder of the task's data set."""
        return Path(self.directory, DATA[self.task])

    @property
    def batch(self) -> int:
        """Rows of a step."""
        return BATCH[self.task]

    @property
    def length(self) -> int:
        """Items that are looked back on."""
        return LENGTH.get(self.recommender, _LONGEST)


def numbered_lists(job: Job) -> list[list[int]]:
    """The lists of items from 0, the last so many of each; the last two are held out."""
    known: dict[object, int] = {}
    lists = [one[-_LONGEST - 3 :] for one in load_lists(DATA[LISTS], job.source).lists]
    return [[known.setdefault(item, len(known)) for item in one] for one in lists]


def clicks_of(job: Job) -> ClickThrough:
    """The samples, split at random by the seed."""
    return prepare_clicks(load_clicks(DATA[CLICKS], job.source), job.seed, "random")


def preferences_of(job: Job) -> CollaborativeFiltering:
    """The interactions, with held-out items that training knows."""
    data = load_interactions(DATA[PREFERENCES], job.source)
    task = prepare_preferences(data, job.seed, PreferenceSettings())
    known = [set(part.owners[part.known()].tolist()) for part in (task.valid, task.test)]
    owners = torch.tensor(sorted(known[0] & known[1]))
    parts = {}
    for name in ("valid", "test"):
        whole = getattr(task, name)
        rows = torch.isin(whole.owners, owners)
        fields = {one: getattr(whole, one)[rows] for one in ("users", "targets", "owners")}
        parts[name] = replace(whole, candidates=whole.candidates[rows], **fields)
    return replace(task, **parts)


def write_files(job: Job) -> None:
    """Write RecBole's files of a job."""
    folder = Path(job.folder, job.task)
    folder.mkdir()
    if job.task == LISTS:
        rows = [
            (f"u{user}", f"i{item}", place)
            for user, items in enumerate(numbered_lists(job))
            for place, item in enumerate(items)
        ]
        _write(folder, "", "user_id:token\titem_id:token\ttimestamp:float", rows)
    elif job.task == CLICKS:
        task = clicks_of(job)
        for name in ("train", "valid", "test"):
            part = getattr(task, name)
            columns = (f"u{one}" for one in part.users.tolist()), (f"i{one}" for one in part.items)
            rows = list(zip(*columns, part.labels.tolist(), strict=True))
            _write(folder, f".{name}", "user_id:token\titem_id:token\tlabel:float", rows)
    else:
        _write_preferences(preferences_of(job), folder)


def _write(folder: Path, part: str, header: str, rows: list[Any], kind: str = "inter") -> None:
    with (folder / f"{folder.name}{part}.{kind}").open("w", encoding="utf-8") as file:
        file.write(f"{header}\n")
        file.writelines("\t".join(map(str, row)) + "\n" for row in rows)


def _write_preferences(task: CollaborativeFiltering, folder: Path) -> None:
    pairs = {
        ".train": (task.train.users, task.train.items),
        ".valid": (task.valid.users, task.valid.targets),
        ".test": (task.test.users, task.test.targets),
    }
    for name, (users, items) in pairs.items():
        both = zip(users.tolist(), items.tolist(), strict=True)
        rows = [(f"u{user}", f"i{item}") for user, item in both]
        _write(folder, name, "user_id:token\titem_id:token", rows)
    heard = _Facts()
    task.start(heard, 0, print)
    if heard.triples is None:
        return
    heads, _, tails = heard.triples
    rows = list(zip(*(part.tolist() for part in heard.triples), strict=True))
    facts = [(f"e{head}", f"r{relation}", f"e{tail}") for head, relation, tail in rows]
    _write(folder, "", "head_id:token\trelation_id:token\ttail_id:token", facts, "kg")
    entities = torch.cat([heads, tails]).unique()
    linked = entities[torch.isin(entities, task.train.items)].tolist()
    _write(
        folder, "", "item_id:token\tentity_id:token", [(f"i{n}", f"e{n}") for n in linked], "link"
    )


class _Facts:
    """Hears what a recommender would hear before training."""

    hears_interactions = False
    triples: tuple[Tensor, Tensor, Tensor] | None = None

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, _: int) -> None:
        """Keep the facts."""
        self.triples = heads, relations, tails


class Answers(Protocol):
    """What a worker trains with, and measures by."""

    about: Mapping[str, object]

    def block(self, batches: int) -> dict[str, float]:
        """Train on so many batches: CPU seconds, rows and predicted items."""

    def products(self, batches: int) -> dict[str, float]:
        """The share of so many steps that is matrix products."""

    def evaluate(self, split: str) -> dict[str, float]:
        """The score of a split."""


def answer_requests(trainer: Answers) -> None:
    """Say what there is to train on, then answer each line of standard input with one of JSON."""
    print(json.dumps(dict(trainer.about)), flush=True)
    for line in sys.stdin:
        ((name, value),) = json.loads(line).items()
        print(json.dumps(getattr(trainer, name)(value)), flush=True)


class Worker:
    """A side in a process of its own, with one thread."""

    def __init__(self, command: list[str], job: Job) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        own = {"task": job.task, "batch": job.batch, "length": job.length}
        self.process = subprocess.Popen(
            [*command, json.dumps(job._asdict() | own)],
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
