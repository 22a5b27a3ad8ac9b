"""Which models there are, which one is served, and the few that are held in memory."""

import logging
import re
import threading
from collections import OrderedDict
from pathlib import Path

from app.services.errors import NotFoundError, NotReadyError, shown
from app.services.served_model import ServedModel
from app.settings import Settings
from cove.artifact import read_artifact
from cove.errors import CoveError
from training.registry.database import registry_url, upgrade
from training.registry.models import Model
from training.registry.queries import Registry

TASK = "list_completion"
HOW_TO_TRAIN = "cove train fans --data ml100k --from DIR --cove 100,10 --output {}/films"
_LOG = logging.getLogger("cove.app")
_HELD_BESIDE_THE_ACTIVE = 2
_ID = re.compile(r"[0-9A-Za-z._-]{1,200}")


class ModelStore:
    """The active model, kept up with the registry by a poll, and others on demand."""

    def __init__(self, settings: Settings) -> None:
        self._artifacts = settings.artifacts
        self._poll_seconds = settings.poll_seconds
        url = settings.database_url or registry_url(settings.artifacts)
        settings.artifacts.mkdir(parents=True, exist_ok=True)
        upgrade(url)
        self.registry = Registry(url)
        self._active: ServedModel | None = None
        self._failure: tuple[str, str] | None = None  # a model's id and why it cannot be served
        self._held: OrderedDict[str, ServedModel] = OrderedDict()
        self._loading = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-registry", daemon=True)

    def start(self) -> None:
        """Register what lies in the artifact directory, load the active model, start the poll."""
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
        """Serve the model that the registry has as active; with none active, the newest."""
        wanted = self.registry.active_model(TASK)
        if wanted is None:
            newest = next((m for m in self.registry.list_models() if m.task == TASK), None)
            if newest is None:
                return
            self.registry.activate(newest.id)
            wanted = newest
        if self._active is not None and self._active.id == wanted.id:
            self._failure = None
            return
        if self._failure is not None and self._failure[0] == wanted.id:
            return
        try:
            self._active = self._load(wanted)
            self._failure = None
            _LOG.info("serving the model %s", wanted.id)
        except CoveError as error:
            self._failure = (wanted.id, str(error))
            _LOG.error("the active model %s cannot be served: %s", wanted.id, error)

    def active(self) -> ServedModel:
        """Give the served model, or raise NotReadyError with the way to one."""
        if self._active is not None:
            return self._active
        if self._failure is not None:
            raise NotReadyError(f"The model {self._failure[0]} cannot be read: {self._failure[1]}")
        raise NotReadyError(
            f"There is no model yet; train one with: {HOW_TO_TRAIN.format(self._artifacts)}"
        )

    def find(self, model_id: str | None) -> ServedModel:
        """Give the model of an id (or the unique start of one), the active model by default."""
        if model_id is None:
            return self.active()
        model = self.record(model_id)
        if self._active is not None and self._active.id == model.id:
            return self._active
        with self._loading:
            if model.id not in self._held:
                try:
                    self._held[model.id] = self._load(model)
                except CoveError as error:
                    raise NotReadyError(f"the model {model.id} cannot be read: {error}") from None
            self._held.move_to_end(model.id)
            while len(self._held) > _HELD_BESIDE_THE_ACTIVE:
                self._held.popitem(last=False)
            return self._held[model.id]

    def record(self, model_id: str) -> Model:
        """Give what the registry knows of a model, or raise NotFoundError."""
        model = self.registry.get_model(model_id) if _ID.fullmatch(model_id) else None
        if model is None:
            raise NotFoundError(f"there is no model {shown(model_id)}; GET /models lists them")
        return model

    def _load(self, model: Model) -> ServedModel:
        return ServedModel(read_artifact(Path(model.path)))

    def _follow(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:
                _LOG.exception("the registry could not be read; the served model stays")
