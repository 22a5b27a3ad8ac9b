"""One row with one seed: what has to be done for it, and the doing of it, in any process."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from cove.artifact import MANIFEST, read_manifest
from cove.errors import CoveError
from training.checkpoint import read_standing, remove_checkpoint
from training.datasets import Data, Filter, load_data
from training.errors import TrainingError
from training.loop import Watcher
from training.paper.baseline_runs import (
    baseline_key,
    measure_baseline,
    read_baseline,
    write_baseline,
)
from training.paper.rows import Row
from training.paper.table import Table
from training.paper.tables import TABLES
from training.preparing import pick_device
from training.registry.queries import Registry
from training.resolving import COVE_SETTINGS, default_rule, resolve
from training.run_settings import RunSettings
from training.tasks import prepare_task
from training.train import Place, run_training


@dataclass(frozen=True)
class Workplace:
    """What all jobs of a table share."""

    dataset: str
    """A data set's name, or a file."""
    directory: Path | None
    """Where the data set lies."""
    output: Path
    """Everything that the command writes is in here."""
    registry: str
    """The registry's address."""
    device: str = "auto"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings for every trained row, over its own."""
    table_name: str = "table2"

    @property
    def table(self) -> Table:
        """What is to be made."""
        return TABLES[self.table_name]

    @property
    def data_name(self) -> str:
        """The data set's name; a file's is its stem."""
        return Path(self.dataset).stem

    @property
    def rule(self) -> Filter:
        """What is kept of the data set."""
        known = default_rule(self.table.task, self.dataset)
        fields = type(known).model_fields
        return known.with_changes(**{k: v for k, v in self.overrides.items() if k in fields})

    def folder(self, row: str) -> Path:
        """Where a row's results of every seed are."""
        return self.output / self.data_name / row

    def load(self) -> Data:
        """The filtered data, read once in a process."""
        return _loaded(self.dataset, self.directory, self.rule)


@lru_cache(maxsize=1)
def _loaded(dataset: str, directory: Path | None, rule: Filter) -> Data:
    return load_data(dataset, directory, rule)


@dataclass(frozen=True)
class Job:
    """A row with a seed."""

    row: Row
    seed: int
    workplace: Workplace

    @property
    def key(self) -> tuple[str, int]:
        """Names the job."""
        return self.row.name, self.seed

    @property
    def needs(self) -> tuple[str, int] | None:
        """The job that must be done before."""
        return None if self.row.codes_from is None else (self.row.codes_from, self.seed)

    @property
    def is_baseline(self) -> bool:
        """Whether nothing is trained."""
        return not self.row.is_trained

    @property
    def output(self) -> Path:
        """Where the artifact goes."""
        return self.workplace.folder(self.row.name) / str(self.seed)

    @property
    def codes_from(self) -> Path | None:
        """The artifact whose embeddings give the codes."""
        if self.row.codes_from is None:
            return None
        return self.workplace.folder(self.row.codes_from) / str(self.seed)

    def settings(self) -> RunSettings:
        """The run, whole.

        Raises:
            CoveError: a setting is not known, or the model that gives the codes is not there.
        """
        row, workplace = self.row, self.workplace
        source = None if self.codes_from is None else read_manifest(self.codes_from).id
        values = {**row.settings, **self._overrides()}
        return resolve(
            row.recommender,
            workplace.dataset,
            row.code_sizes,
            self.seed,
            values,
            source,
            row.user_code_sizes,
        )

    def _overrides(self) -> Mapping[str, Any]:
        """What is set for all rows, but for what only those with COVE have."""
        row, given = self.row, self.workplace.overrides
        if row.code_sizes is not None or row.user_code_sizes is not None:
            return given
        return {name: value for name, value in given.items() if name not in COVE_SETTINGS}

    def hash(self) -> str:
        """What it is recognised by, of its settings and its data: equal jobs give equal results.

        Raises:
            CoveError: as for `settings`.
        """
        if self.is_baseline:
            return self.baseline_key()
        return self.settings().fingerprint(self.workplace.load().sha256)

    def baseline_key(self) -> str:
        """What this baseline's result is recognised by."""
        rule = self.workplace.rule.model_dump(mode="json")
        return baseline_key(self.row.name, self.workplace.load().sha256, self.seed, rule)


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    key: tuple[str, int]
    seconds: float
    score: float | None = None
    """The table's first metric, on the test data."""
    reason: str | None = None
    """Why it failed, in one sentence."""


class Listener(Protocol):
    """Hears how a job goes."""

    def epoch(self, epoch: int, num_epochs: int) -> None:
        """An epoch ended."""

    def warn(self, message: str) -> None:
        """Something is amiss that does not stop the job."""


def is_done(job: Job) -> bool:
    """Whether the job's result, of just these settings and data, is on disk."""
    if job.is_baseline:
        folder = job.workplace.folder(job.row.name)
        return read_baseline(folder, job.seed, job.baseline_key()) is not None
    try:
        if not (job.output / MANIFEST).exists():
            return False
        return read_manifest(job.output).training.get("fingerprint") == job.hash()
    except CoveError:
        return False


def perform(job: Job, listener: Listener) -> Outcome:
    """Do a job, or the rest of it; what goes wrong is in the outcome."""
    started = time.perf_counter()
    try:
        score = _measure(job) if job.is_baseline else _train(job, listener)
    except CoveError as error:
        return Outcome(job.key, time.perf_counter() - started, reason=str(error))
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(job.key, time.perf_counter() - started, reason=reason)
    return Outcome(job.key, time.perf_counter() - started, score)


def _measure(job: Job) -> float:
    folder, key = job.workplace.folder(job.row.name), job.baseline_key()
    found = read_baseline(folder, job.seed, key)
    if found is None:
        device = pick_device(job.workplace.device)
        task = prepare_task(job.workplace.load(), job.seed, {})
        found = measure_baseline(job.row.name, task, device, key, job.seed)
        write_baseline(folder, *found)
    return found[0].test[job.workplace.table.selected[0]]


def _train(job: Job, listener: Listener) -> float:
    settings, workplace = job.settings(), job.workplace
    data = workplace.load()
    # A row whose settings have changed since is another run: it takes the old one's place.
    place = Place(
        workplace.directory, job.output, workplace.device, False, True, job.codes_from
    )  # fmt: skip
    fingerprint = settings.fingerprint(data.sha256)
    _discard_other(place.checkpoint, fingerprint)
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with Registry(workplace.registry) as registry:
        _take_over(registry, fingerprint, job.output)
        watcher = _Relay(listener, settings.training.epochs)
        manifest = run_training(settings, place, registry, watcher, data)
    return manifest.metrics["test"][workplace.table.selected[0]]


def _take_over(registry: Registry, fingerprint: str, output: Path) -> None:
    """Copy the model of just these settings and data, where another row or table made it."""
    model = None if output.exists() else registry.model_of_settings(fingerprint)
    if model is None or not (Path(model.path) / MANIFEST).exists():
        return
    scratch = output.with_name(f".{output.name}.{uuid4().hex}.copy")
    try:
        shutil.copytree(model.path, scratch)
        scratch.rename(output)
    except (OSError, shutil.Error):
        pass  # it is being replaced or removed just now: then it is trained
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _discard_other(checkpoint: Path, fingerprint: str) -> None:
    try:
        standing = read_standing(checkpoint)
        is_ours = standing is not None and standing.fingerprint == fingerprint
    except TrainingError:
        is_ours = False
    if not is_ours:
        remove_checkpoint(checkpoint)


class _Relay(Watcher):
    """Passes a run's epochs and warnings on."""

    def __init__(self, listener: Listener, num_epochs: int) -> None:
        self.listener, self.num_epochs = listener, num_epochs

    def step(self, epoch: int, done: int, loss: float) -> None:
        """Say nothing: steps are too many."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Pass an epoch on."""
        self.listener.epoch(epoch, self.num_epochs)

    def warn(self, message: str) -> None:
        """Pass a warning on."""
        self.listener.warn(message)
