"""Which models there are, which one is served for each task, and the few held in memory."""

import logging
import re
import threading
from collections import OrderedDict
from pathlib import Path

from app.services.entity_index import Entity
from app.services.errors import InvalidError, NotFoundError, NotReadyError, shown
from app.services.served_model import ServedModel
from app.services.tasks import TASKS
from app.settings import Settings
from cove.artifact import read_artifact
from cove.errors import CoveError
from cove.recommenders import LISTS
from training.registry.database import registry_url, upgrade
from training.registry.models import Model
from training.registry.queries import Registry

_LOG = logging.getLogger("cove.app")
_HELD_BESIDE_THE_ACTIVE = 2
_ID = re.compile(r"[0-9A-Za-z._-]{1,200}")


class ModelStore:
    """The active model of each task, kept up with the registry by a poll; others on demand."""

    def __init__(self, settings: Settings) -> None:
        self._artifacts = settings.artifacts
        self._poll_seconds = settings.poll_seconds
        self._first_model_command = settings.first_model_command
        url = settings.database_url or registry_url(settings.artifacts)
        settings.artifacts.mkdir(parents=True, exist_ok=True)
        upgrade(url)
        self.registry = Registry(url)
        self._active: dict[str, ServedModel] = {}
        self._failures: dict[str, tuple[str, str]] = {}  # task -> a model's id, why not served
        self._held: OrderedDict[str, ServedModel] = OrderedDict()
        self._loading = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-registry", daemon=True)

    def start(self) -> None:
        """Register what lies in the artifact directory, load what is active, start the poll."""
        self.registry.mark_dead_runs()
        self.registry.sync_artifacts(self._artifacts)
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the poll and let go of the registry."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.registry.close()

    def refresh(self) -> None:
        """Serve the active model of each task; where none is active yet, the newest becomes it."""
        for task in TASKS:
            wanted = self.registry.active_model(task)
            if wanted is None:
                newest = next((m for m in self.registry.list_models() if m.task == task), None)
                if newest is None:
                    continue
                wanted = self.registry.activate(newest.id)
            self._serve(task, wanted)

    def _serve(self, task: str, wanted: Model) -> None:
        active, failure = self._active.get(task), self._failures.get(task)
        if active is not None and active.id == wanted.id:
            self._failures.pop(task, None)
            return
        if failure is not None and failure[0] == wanted.id:
            return
        try:
            self._active[task] = self._load(wanted)
            self._failures.pop(task, None)
            _LOG.info("serving the model %s for %s", wanted.id, TASKS[task].objects)
        except CoveError as error:
            self._failures[task] = (wanted.id, str(error))
            _LOG.error("the active model %s cannot be served: %s", wanted.id, error)

    def served(self) -> dict[str, ServedModel]:
        """The model that is served for each task, in the order of TASKS."""
        return {task: self._active[task] for task in TASKS if task in self._active}

    def problems(self) -> dict[str, str]:
        """Why the active model of a task is not served, by task."""
        failures = {task: self._failures.get(task) for task in TASKS}
        return {
            task: f"The model {failure[0]} cannot be read: {failure[1]}"
            for task, failure in failures.items()
            if failure is not None
        }

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

    def for_task(self, model_id: str | None, task: str) -> ServedModel:
        """Give the model of an id if it is one for the task, the task's active by default.

        Raises:
            NotFoundError, NotReadyError: there is no such model, or it cannot be read.
            InvalidError: the model is for another task.
        """
        if model_id is None:
            return self.active(task)
        record = self.record(model_id)
        if record.task != task:
            calls = TASKS[record.task].call if record.task in TASKS else "no call"
            raise InvalidError(
                "model",
                f"the model {record.id} is for the task {record.task}, which {calls} serves; "
                f"{TASKS[task].call} needs one for {task}",
            )
        return self._held_or_loaded(record)

    def to_browse(self, model_id: str | None, entity: Entity) -> ServedModel:
        """Give the model of an id, by default the one that `browsed` says."""
        if model_id is None:
            return self.browsed(entity)
        return self._held_or_loaded(self.record(model_id))

    def record(self, model_id: str) -> Model:
        """Give what the registry knows of a model, by its id or the unique start of one.

        Raises:
            NotFoundError: there is none.
        """
        model = self.registry.get_model(model_id) if _ID.fullmatch(model_id) else None
        if model is None:
            raise NotFoundError(f"there is no model {shown(model_id)}; GET /models lists them")
        return model

    def _held_or_loaded(self, record: Model) -> ServedModel:
        active = self._active.get(record.task)
        if active is not None and active.id == record.id:
            return active
        with self._loading:
            if record.id not in self._held:
                try:
                    self._held[record.id] = self._load(record)
                except CoveError as error:
                    raise NotReadyError(f"the model {record.id} cannot be read: {error}") from None
            self._held.move_to_end(record.id)
            while len(self._held) > _HELD_BESIDE_THE_ACTIVE:
                self._held.popitem(last=False)
            return self._held[record.id]

    def _load(self, model: Model) -> ServedModel:
        return ServedModel(read_artifact(Path(model.path)))

    def _follow(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:
                _LOG.exception("the registry could not be read; the served models stay")
