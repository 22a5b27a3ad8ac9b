"""A search for the best settings: Optuna proposes, validation judges, hopeless runs are pruned.

Several processes and machines may call the same sweep, with one storage and one folder.
"""

import json
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from cove.errors import CoveError, SettingsError
from training.checkpoint import remove_checkpoint
from training.loop import Watcher
from training.paper.baseline_runs import replace_file
from training.registry.database import only_process, open_registry, shown
from training.registry.queries import Registry
from training.run_settings import RunSettings
from training.sweep_ranges import Range, with_fractions
from training.tasks import selection_metric
from training.train import Place, run_training

_BEAT_SECONDS, _SILENT_SECONDS = 30, 120
"""How often a process shows that it lives, and after what silence its trial is tried again."""
_JUDGED = (TrialState.COMPLETE, TrialState.PRUNED)
_ENDED = (*_JUDGED, TrialState.FAIL)
_BUSY_SECONDS = 30
"""How long one writer of a SQLite file waits for another."""
BEST = "best.toml"
_QUESTION = "question"


class PrunedError(CoveError):
    """A run was ended early, for others did better by then."""


@dataclass(frozen=True)
class Sweep:
    """What is searched, and where everything goes."""

    name: str
    """Of the study: calls of one name in one storage are one search."""
    storage: str
    """SQLite or PostgreSQL; a database of its own, never the registry's."""
    output: Path
    ranges: Mapping[str, Range]
    resolve: Callable[[Mapping[str, Any]], RunSettings]
    """A run's settings from what was drawn."""
    fixed: Mapping[str, Any]
    """Settings by name that every trial has."""
    command: str
    """The `cove train` call that the best settings belong to."""
    place: Callable[[Path], Place]
    """Where a run reads, writes and computes, by its folder."""
    registry: str

    @property
    def question(self) -> str:
        """What is searched, in one line: trials of one study answer one question."""
        return f"{self.command}, {dict(self.fixed)}, {dict(self.ranges)}"

    def checked(self) -> Self:
        """The same with the ranges that its settings can have (`with_fractions`).

        Raises:
            SettingsError: a setting does not allow its range, or no settings file can hold it.
        """
        for name, value in self.fixed.items():
            _toml(name, value)
        first = {name: found.ends()[0] for name, found in self.ranges.items()}
        for name, found in self.ranges.items():
            for value in found.ends():
                self.resolve({**first, name: value})

        def allows(name: str, value: float) -> bool:
            try:
                self.resolve({**first, name: value})
            except SettingsError:
                return False
            return True

        ranges = {
            name: with_fractions(found, partial(allows, name))
            for name, found in self.ranges.items()
        }
        return replace(self, ranges=ranges)


def open_study(sweep: Sweep, seed: int) -> optuna.Study:
    """The study, made by whichever process comes first.

    seed: of the first proposals, where this process makes the study.

    Raises:
        SettingsError: the storage cannot be used, is the registry, or holds another search.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)
    sampler = optuna.samplers.TPESampler
    try:
        with only_process(sweep.storage):  # of two who make Optuna's tables at once, one fails
            storage = _storage(sweep.storage)
        try:
            study = optuna.create_study(
                study_name=sweep.name, storage=storage, direction="maximize", pruner=pruner,
                sampler=sampler(seed=seed),
            )  # fmt: skip
        except DuplicatedStudyError:
            study = optuna.load_study(
                study_name=sweep.name, storage=storage, pruner=pruner, sampler=sampler()
            )
        asked = study.user_attrs.get(_QUESTION)
        if asked is None:
            study.set_user_attr(_QUESTION, sweep.question)
        elif asked != sweep.question:
            raise SettingsError(
                f"{shown(sweep.storage)} holds a sweep of other settings, ranges or seed: name "
                "another --output, or --storage"
            )
        return study
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise SettingsError(
            f"the storage {shown(sweep.storage)} cannot be used: {reason}"
        ) from None


def _storage(url: str) -> RDBStorage:
    """Optuna's tables at an address that is given as the registry's is."""
    engine = open_registry(url)
    try:
        is_registry = "runs" in inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if is_registry:  # Optuna's version is kept in a table that the registry's migrations own
        raise SettingsError(f"{shown(url)} is a registry: a sweep needs a database of its own")
    on_sqlite = engine.dialect.name == "sqlite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            engine.url.render_as_string(hide_password=False),
            engine_kwargs={"connect_args": {"timeout": _BUSY_SECONDS}} if on_sqlite else None,
            heartbeat_interval=_BEAT_SECONDS,
            grace_period=_SILENT_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )


def run_sweep(
    sweep: Sweep, study: optuna.Study, num_trials: int, say: Callable[[str], None]
) -> optuna.trial.FrozenTrial:
    """Try settings until there are so many trials in all, whoever made them; the best.

    Raises:
        CoveError: no trial ended well.
    """
    reasons: list[str] = []

    def objective(trial: optuna.Trial) -> float:
        values = {name: found.suggest(trial, name) for name, found in sweep.ranges.items()}
        if (earlier := _same(study, trial)) is not None:
            say(f"trial {trial.number}: as trial {earlier.number}, {_shown(values)}")
            if earlier.value is None or earlier.state == TrialState.PRUNED:
                raise optuna.TrialPruned
            return earlier.value
        try:
            score = _try(sweep, trial, values)
        except PrunedError as error:
            say(f"trial {trial.number}: {error}, {_shown(values)}")
            raise optuna.TrialPruned from None
        except CoveError as error:
            reasons.append(str(error))
            say(f"trial {trial.number}: failed: {error}, {_shown(values)}")
            raise
        say(f"trial {trial.number}: {score:.4f}, {_shown(values)}")
        return score

    def keep_best(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            write_best(sweep, study.best_trial)

    if len(study.get_trials(deepcopy=False, states=_JUDGED)) < num_trials:
        failed = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))  # earlier
        enough = optuna.study.MaxTrialsCallback(num_trials + failed, states=_ENDED)
        study.optimize(objective, callbacks=[keep_best, enough], catch=(CoveError,))
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise CoveError(f"no trial ended well: {reasons[-1] if reasons else 'all were pruned'}")
    write_best(sweep, study.best_trial)
    return study.best_trial


def _same(study: optuna.Study, trial: optuna.Trial) -> optuna.trial.FrozenTrial | None:
    """An ended trial of the same values, whose runs would be the same, too."""
    ended = study.get_trials(deepcopy=False, states=_JUDGED)
    return next((each for each in ended if each.params == trial.params), None)


def _try(sweep: Sweep, trial: optuna.Trial, values: Mapping[str, Any]) -> float:
    settings = sweep.resolve(values)
    metric = selection_metric(settings.task)
    place = sweep.place(sweep.output / str(trial.number))
    try:
        with Registry(sweep.registry) as registry:
            manifest = run_training(settings, place, registry, _Pruner(trial, metric))
    except PrunedError:
        remove_checkpoint(place.checkpoint)
        raise
    trial.set_user_attr("run_id", manifest.run_id)
    return manifest.metrics["valid"][metric]


class _Pruner(Watcher):
    """Reports every epoch to the study, and ends a run that the study gives up."""

    def __init__(self, trial: optuna.Trial, metric: str) -> None:
        self.trial, self.metric = trial, metric

    def step(self, epoch: int, done: int, loss: float) -> None:
        """Say nothing: steps are too many."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Report, and give up where others did better by this epoch."""
        self.trial.report(values[f"valid_{self.metric}"], epoch)
        if self.trial.should_prune():
            raise PrunedError(f"pruned after epoch {epoch}")

    def warn(self, message: str) -> None:
        """Say nothing: most trials are no result."""


def write_best(sweep: Sweep, best: optuna.trial.FrozenTrial) -> None:
    """Write the best settings as the file that `cove train --settings` takes."""
    lines = [
        f"# {sweep.command} --settings {BEST} --output ARTIFACT",
        f"# trial {best.number} of the sweep {sweep.name}, "
        f"run {best.user_attrs.get('run_id', '')}: {best.value:.4f} in validation",
        *(_toml(name, value) for name, value in (sweep.fixed | best.params).items()),
    ]
    replace_file(sweep.output / BEST, ("\n".join(lines) + "\n").encode())


def _toml(name: str, value: Any) -> str:
    """A setting as a line of a settings file.

    Raises:
        SettingsError: there is no such line.
    """
    if value is None:
        raise SettingsError(f"{name}=null cannot stand in a settings file: leave it out")
    if isinstance(value, float) and not math.isfinite(value):
        return f"{name} = {value}"  # inf and nan are spelled so
    return f"{name} = {json.dumps(value)}"


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
