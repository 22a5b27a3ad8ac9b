"""The models in memory: the one that is served for each task, and a few beside them."""

import logging
from collections.abc import Iterable
from pathlib import Path

from app.services.entity_index import Entity
from app.services.errors import NotReadyError
from app.services.held_models import HeldModels
from app.services.served_model import ServedModel
from app.services.tasks import TASKS
from cove.recommenders import LISTS
from training.registry.models import Model

_LOG = logging.getLogger("cove.app")


class ActiveModels:
    """One model for each task, replaced only by one that can be read.

    Whoever holds a model goes on with it when another takes its place: no answer is of two models.
    """

    def __init__(self, artifacts: Path, first_model_command: str | None = None) -> None:
        self._artifacts, self._first_model_command = artifacts, first_model_command
        self._active: dict[str, ServedModel] = {}
        self._failures: dict[str, tuple[str, str]] = {}  # task -> a model's id, why not served
        self.held = HeldModels()

    def serve(self, wanted: Model, earlier: Iterable[Model] = ()) -> None:
        """Serve a model for its task; what is served stays where it cannot be read.

        earlier: what is tried in its place where nothing is served, in this order.
        """
        task = wanted.task
        active, failure = self._active.get(task), self._failures.get(task)
        if active is not None and active.id == wanted.id:
            self._failures.pop(task, None)
            return
        if failure is not None and failure[0] == wanted.id:
            return
        try:
            self._active[task] = self.held.get(wanted)
        except NotReadyError as error:
            self._failures[task] = (wanted.id, str(error))
            _LOG.error("the active model cannot be served: %s", error)
            if active is None:
                self._serve_first(earlier)
            return
        self._failures.pop(task, None)
        if active is not None:
            self.held.keep(active)
        _LOG.info("serving the model %s for %s", wanted.id, TASKS[task].objects)

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
        failures = {task: self._failures.get(task) for task in TASKS}
        return {task: failure[1] for task, failure in failures.items() if failure is not None}

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
