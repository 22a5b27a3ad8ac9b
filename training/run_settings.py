"""Everything that defines a run, from one small file, `--set name=value` and the defaults."""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cove.errors import SettingsError
from cove.objective import ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import RECOMMENDERS
from training.datasets import Filter
from training.optimisation import TrainingSettings
from training.seeds import LARGEST_SEED

_LATER_FIELDS: dict[str, Any] = {
    "loss": "bpr",
    "temperature": 0.15,
    "user_quantizer": None,
    "task_options": {},
    "split": "random",
    "row_sparse": "auto",
    "linear": False,
    "linear_regularization": 50.0,
    "shrinkage": 0.0,
    "averaged_levels": 0,
    "update_interval": 1,
}
"""Settings that came after the first artifacts: at these values they leave fingerprints alone."""


class RunSettings(BaseModel):
    """A run, whole: equal settings on equal data give an equal artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recommender: str
    data: str
    seed: int = Field(ge=0, le=LARGEST_SEED)
    filter: Filter
    quantizer: QuantizerSettings | None
    """COVE on items."""
    objective: ObjectiveSettings
    training: TrainingSettings
    model: dict[str, Any]
    """The recommender's own settings."""
    codes_from: str | None = None
    """Id of the trained model whose embeddings give the codes, where `assignment` is `given`."""
    user_quantizer: QuantizerSettings | None = None
    """COVE on users, for the tasks that know them."""
    task_options: dict[str, Any] = {}
    """What the task itself has to be told, checked by its own settings."""

    @property
    def task(self) -> str:
        """What the recommender is for."""
        return RECOMMENDERS[self.recommender].task

    def quantizers(self) -> dict[str, QuantizerSettings]:
        """COVE by entity, where it is on."""
        both = {"item": self.quantizer, "user": self.user_quantizer}
        return {entity: each for entity, each in both.items() if each is not None}

    def fingerprint(self, data_sha256: str) -> str:
        """A hash of the settings and the data: what a checkpoint is recognised by.

        Where a file of lists lies does not matter, only its name and what is in it; nor does how
        tables are shared out among processes.
        """
        values = self.model_dump(mode="json") | {"data": Path(self.data).name}
        del values["training"]["embedding_sharding"]
        parts = ("task_options", "training", "model", "quantizer", "user_quantizer")
        for group in (*(values[part] or {} for part in parts), values):
            for name, value in _LATER_FIELDS.items():
                if name in group and group[name] == value:
                    del group[name]
        content = json.dumps([values, data_sha256], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def parse_code_sizes(text: str) -> tuple[int, ...]:
    """Code sizes as the command line spells them: "500,10"; none for "auto"."""
    if text == "auto":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(
            f"code sizes are auto, or whole numbers with commas between, like 500,10: got {text!r}"
        ) from None


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, `name = value` a line.

    Raises:
        SettingsError: the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Turn `name=value` texts into values: JSON where it parses, else the text itself."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set takes name=value: got {text!r}")
        try:
            values[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            values[name.strip()] = value
    return values
