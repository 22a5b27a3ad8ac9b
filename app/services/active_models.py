"""The models in memory: the one that is served for each task, and a few beside them."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from app.services.entity_index import Entity
from app.services.errors import NotReadyError
from app.services.held_models import HeldModels
from app.services.served_model import ServedModel
from app.services.tasks import TASKS
from cove.recommenders import LISTS
from training.registry.models import Model

_LOG = logging.getLogger("cove.app")
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 2.0, 300.0


@dataclass(frozen=True)
class _Failure:
    """A model that could not be read. It may be whole later: a volume comes, a copy ends."""

    model_id: str
    reason: str
    wait_seconds: float
    again_at: float
    """By the monotonic clock, when reading it is tried again."""


class ActiveModels:
    """One model for each task, replaced only by one that can be read.

    Whoever holds a model goes on with it when another takes its place: no answer is of two models.
    """

    def __init__(self, artifacts: Path, first_model_command: str | None = None) -> None:
        self._artifacts, self._first_model_command = artifacts, first_model_command
        self._active: dict[str, ServedModel] = {}
        self._failures: dict[str, _Failure] = {}
        self.held = HeldModels()

    def serve(self, wanted: Model, earlier: Iterable[Model] = ()) -> None:
        """Serve a model for its task; what is served stays where it cannot be read, which is tried
        again after a while, and longer after each time.

        earlier: what is tried in its place where nothing is served, in this order.
        """
        task = wanted.task
        active = self._active.get(task)
        if active is not None and active.id == wanted.id:
            self._failures.pop(task, None)
            return
        if self._is_waiting_for(wanted):
            return
        try:
            self._active[task] = self.held.get(wanted)
        except NotReadyError as error:
            self._fail(wanted, error)
            if active is None:
                self._serve_first(earlier)
            return
        self._failures.pop(task, None)
        if active is not None:
            self.held.keep(active)
        _LOG.info("serving the model %s for %s", wanted.id, TASKS[task].objects)

    def try_again(self, task: str) -> None:
        """Forget what could not be read for a task: it is read again at once."""
        self._failures.pop(task, None)

    def first_readable(self, models: Sequence[Model]) -> Model | None:
        """The first of models of one task that can be read; None where none can be, or where none
        could be a little while ago."""
        if not models or self._is_waiting_for(models[0]):
            return None
        errors = []
        for model in models:
            try:
                self.held.get(model)
            except NotReadyError as error:
                errors.append(error)
            else:
                for each in errors:
                    _LOG.error("passed over: %s", each)
                return model
        self._fail(models[0], errors[0])
        return None

    def _is_waiting_for(self, model: Model) -> bool:
        failure = self._failures.get(model.task)
        return (
            failure is not None and failure.model_id == model.id and monotonic() < failure.again_at
        )

    def _fail(self, model: Model, error: NotReadyError) -> None:
        before, wait = self._failures.get(model.task), _FIRST_WAIT_SECONDS
        if before is not None and before.model_id == model.id:
            wait = min(2 * before.wait_seconds, _LONGEST_WAIT_SECONDS)
        if before is None or before.reason != str(error):
            _LOG.error("the active model cannot be served: %s", error)
        self._failures[model.task] = _Failure(model.id, str(error), wait, monotonic() + wait)

    def _serve_first(self, models: Iterable[Model]) -> None:
        for model in models:
            try:
                self._active[model.task] = self.held.get(model)
            except NotReadyError:
                continue
            _LOG.error("serving the model %s, active before, in its place", model.id)
            return

    def take(self, model: ServedModel) -> None:
        """Serve a model that is in memory."""
        self._active[model.task] = model

    def served(self) -> dict[str, ServedModel]:
        """The model that is served for each task, in the order of TASKS."""
        return {task: self._active[task] for task in TASKS if task in self._active}

    def problems(self) -> dict[str, str]:
        """Why the active model of a task is not served, by task."""
        return {task: self._failures[task].reason for task in TASKS if task in self._failures}

    def active(self, task: str) -> ServedModel:
        """Give the model served for a task, or raise NotReadyError with the way to one."""
        if task in self._active:
            return self._active[task]
        if task in (problems := self.problems()):
            raise NotReadyError(problems[task])
        raise NotReadyError(
            f"There is no model for {TASKS[task].objects} yet; "
            f"train one with: {self._how_to_train(task)}"
        )

    def browsed(self, entity: Entity = "item") -> ServedModel:
        """Give the first served model that knows an entity; one without it where none does.

        Raises:
            NotReadyError: nothing is served, or not the model that would know.
        """
        served = self.served()
        for model in served.values():
            if model.entity(entity) is not None:
                return model
        problems = [why for task, why in self.problems().items() if task not in served]
        if problems:
            raise NotReadyError("; ".join(problems))
        if served:
            return next(iter(served.values()))
        raise NotReadyError(f"There is no model yet; train one with: {self._how_to_train(LISTS)}")

    def _how_to_train(self, task: str) -> str:
        if task == LISTS and self._first_model_command:
            return self._first_model_command
        return TASKS[task].how_to_train.format(self._artifacts)

    def find(self, model_id: str) -> ServedModel | None:
        """Give the model of a whole id where nothing has to be read for it."""
        served = (model for model in self._active.values() if model.id == model_id)
        return next(served, None) or self.held.find(model_id)

    def find_or_read(self, record: Model) -> ServedModel:
        """Give a model, or raise NotReadyError where it cannot be read."""
        return self.find(record.id) or self.held.get(record)
