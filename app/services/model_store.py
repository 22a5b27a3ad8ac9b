"""Which models there are, which one is served for each task, and how that is changed."""

import logging
import re
import threading
from collections.abc import Iterator

from app.services.active_models import ActiveModels
from app.services.entity_index import Entity, EntityIndex
from app.services.errors import ConflictError, InvalidError, NotFoundError, NotReadyError, shown
from app.services.labels import LabelBook
from app.services.served_model import ServedModel
from app.services.tasks import TASKS
from app.settings import Settings
from cove.artifact import read_artifact
from cove.errors import CoveError
from training.registry.artifacts import artifacts_in
from training.registry.database import registry_url, upgrade
from training.registry.errors import NoModelError, RegistryError
from training.registry.models import Model
from training.registry.queries import Registry

_LOG = logging.getLogger("cove.app")
_ID = re.compile(r"[0-9A-Za-z._-]{1,200}")


class ModelStore:
    """The active model of each task, kept up with the registry by a poll; others on demand.

    Without its registry it serves what it has, at first the newest artifact of each task.
    """

    def __init__(self, settings: Settings) -> None:
        self._artifacts = settings.artifacts
        self._poll_seconds = settings.poll_seconds
        self._url = settings.database_url or registry_url(settings.artifacts)
        self._registry: Registry | None = None
        self._trouble = ""
        self._models = ActiveModels(settings.artifacts, settings.first_model_command)
        self.served, self.in_memory = self._models.served, self._models.find
        self.active, self.browsed = self._models.active, self._models.browsed
        self.labels = LabelBook()
        self._switching = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-registry", daemon=True)

    @property
    def registry(self) -> Registry:
        """The registry, or RegistryError where it could not be used since the server began."""
        if self._registry is None:
            raise RegistryError(self._trouble)
        return self._registry

    def problems(self) -> dict[str, str]:
        """Why the active model of a task is not served, by task; what is wrong with the registry,
        as "registry"."""
        return self._models.problems() | ({"registry": self._trouble} if self._trouble else {})

    def start(self) -> None:
        """Register what lies in the artifact directory, load what is active, start the poll."""
        self._artifacts.mkdir(parents=True, exist_ok=True)
        self._keep_up()
        if self._registry is None:
            self._serve_folder()
        self._thread.start()

    def stop(self) -> None:
        """End the poll and let go of the registry."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._registry is not None:
            self._registry.close()

    def _follow(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            try:
                self._keep_up()
            except Exception:
                _LOG.exception("the registry could not be followed; the served models stay")

    def _keep_up(self) -> None:
        """Do as the registry says; where it cannot be used, say so once and go on."""
        try:
            if self._registry is None:
                self._connect()
            self.refresh()
            self.labels.follow(self.registry)
        except RegistryError as error:
            if str(error) != self._trouble:
                _LOG.error("%s; what is served stays", error)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _connect(self) -> None:
        upgrade(self._url)
        registry = Registry(self._url)
        registry.mark_dead_runs()
        registry.sync_artifacts(self._artifacts)
        self._registry = registry

    def _serve_folder(self) -> None:
        """Serve the newest artifact of each task that can be read."""
        found = sorted(artifacts_in(self._artifacts), key=lambda each: each[1].created_at)
        for path, manifest in reversed(found):
            if manifest.task in TASKS and manifest.task not in self.served():
                try:
                    self._models.take(ServedModel(read_artifact(path)))
                except CoveError as error:
                    _LOG.error("the artifact %s cannot be served: %s", path, error)

    def refresh(self) -> None:
        """Serve the active model of each task; where none is active yet, the newest that can be
        read becomes it."""
        with self._switching:
            for task in TASKS:
                wanted = self.registry.active_model(task)
                if wanted is None:
                    newest_first = [m for m in self.registry.list_models() if m.task == task]
                    first = self._models.first_readable(newest_first)
                    if first is None:
                        continue
                    wanted = self.registry.activate(first.id)
                self._models.serve(wanted, self._before(task))

    def _before(self, task: str) -> Iterator[Model]:
        """What was active for a task before, the last first; read only where it is needed."""
        yield from self.registry.models_before(task)

    def activate(self, model_id: str) -> Model:
        """Make a model the active one of its task and serve it at once.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it cannot be read, or no call serves its task; nothing has changed.
        """
        record = self._look_for(model_id)
        with self._switching:
            self._check(record)
            model = self.registry.activate(record.id)
            self._models.try_again(model.task)
            self._models.serve(model)
        return model

    def rollback(self, task: str | None) -> Model:
        """Return to the model that was active before for a task, and serve it at once; None: for
        the one task that has an active model.

        Raises:
            InvalidError: several tasks have one, and none is named.
            ConflictError: there is none, or it cannot be read; nothing has changed.
        """
        with self._switching:
            task = task or self._only_task()
            before = self.registry.models_before(task)
            if before:
                self._check(before[0])
            try:
                model = self.registry.rollback(task)
            except NoModelError as error:
                raise ConflictError(str(error)) from None
            self._models.try_again(task)
            self._models.serve(model)
        return model

    def _only_task(self) -> str:
        tasks: list[str] = [task for task in TASKS if self.registry.active_model(task) is not None]
        if len(tasks) > 1:
            raise InvalidError("task", f"say which has to go back: {', '.join(tasks)}")
        return tasks[0] if tasks else next(iter(TASKS))

    def label(self, index: EntityIndex, level: int, code: int, label: str) -> None:
        """Set a person's name for a code that exists; an empty one takes it away."""
        self.registry.put_label(index.model_id, index.entity, level, code, label)
        self.labels.follow(self.registry)

    def candidate(self, model_id: str) -> ServedModel:
        """Read a model that may take the place of another.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it cannot be read, or no call serves its task.
        """
        return self._check(self._look_for(model_id))

    def _look_for(self, model_id: str) -> Model:
        """The record of a model, also of one that came to the folder since the server began."""
        try:
            return self.record(model_id)
        except NotFoundError:
            self.registry.sync_artifacts(self._artifacts)
            return self.record(model_id)

    def _check(self, record: Model) -> ServedModel:
        """Read a model before it may replace another."""
        if record.task not in TASKS:
            raise ConflictError(f"no call serves the task {record.task} of the model {record.id}")
        try:
            return self._models.find_or_read(record)
        except NotReadyError as error:
            raise ConflictError(str(error)) from None

    def for_task(self, model_id: str | None, task: str) -> ServedModel:
        """Give the model of an id if it is one for the task, the task's active by default.

        Raises:
            NotFoundError, NotReadyError: there is no such model, or it cannot be read.
            InvalidError: the model is for another task.
        """
        if model_id is None:
            return self.active(task)
        known = self.in_memory(model_id) or self.record(model_id)
        if known.task != task:
            calls = TASKS[known.task].call if known.task in TASKS else "no call"
            raise InvalidError(
                "model",
                f"the model {known.id} is for the task {known.task}, which {calls} serves; "
                f"{TASKS[task].call} needs one for {task}",
            )
        return known if isinstance(known, ServedModel) else self._models.find_or_read(known)

    def to_browse(self, model_id: str | None, entity: Entity) -> ServedModel:
        """Give the model of an id, by default the one that `browsed` says."""
        if model_id is None:
            return self.browsed(entity)
        return self.in_memory(model_id) or self._models.find_or_read(self.record(model_id))

    def record(self, model_id: str) -> Model:
        """Give what the registry knows of a model, by its id or the unique start of one.

        Raises:
            NotFoundError: there is none.
            AmbiguousIdError: several ids start so.
        """
        model = self.registry.get_model(model_id) if _ID.fullmatch(model_id) else None
        if model is None:
            raise NotFoundError(f"there is no model {shown(model_id)}; GET /models lists them")
        return model
