"""Models in memory beside those that are served: asked for by name, or served until lately."""

import threading
from collections import OrderedDict
from pathlib import Path

from app.services.errors import NotReadyError
from app.services.served_model import ServedModel
from cove.artifact import Manifest, read_artifact
from cove.errors import CoveError
from training.registry.models import Model

_MOST = 2


def check_is(manifest: Manifest, record: Model) -> None:
    """Refuse the manifest of another model, which was written where a registered one lay.

    Raises:
        NotReadyError: it is another's.
    """
    if manifest.id != record.id:
        raise NotReadyError(
            f"the model {record.id} is gone: {record.path} now holds {manifest.id}, "
            "which `cove models activate` serves in its place"
        )


class HeldModels:
    """The few models used last; any thread may ask."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, ServedModel] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, model_id: str) -> ServedModel | None:
        """The model of a whole id, if it is held."""
        return self._models.get(model_id)

    def get(self, record: Model) -> ServedModel:
        """The model, read from its artifact where it is not held; one thread reads at a time.

        Raises:
            NotReadyError: it cannot be read.
        """
        with self._lock:
            model = self._models.get(record.id)
            if model is None:
                try:
                    artifact = read_artifact(Path(record.path))
                except CoveError as error:
                    raise NotReadyError(f"the model {record.id} cannot be read: {error}") from None
                check_is(artifact.manifest, record)
                model = ServedModel(artifact)
            self._keep(model)
            return model

    def keep(self, model: ServedModel) -> None:
        """Hold a model that is in memory anyway."""
        with self._lock:
            self._keep(model)

    def _keep(self, model: ServedModel) -> None:
        self._models[model.id] = model
        self._models.move_to_end(model.id)
        while len(self._models) > _MOST:
            self._models.popitem(last=False)
