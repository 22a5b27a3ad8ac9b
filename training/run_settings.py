"""Everything that defines a run, from one small file, `--set name=value` and the defaults."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cove.errors import SettingsError
from cove.objective import ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import RECOMMENDERS, first_problem
from training.datasets import ListFilter, default_filter
from training.loop import TrainingSettings

_FIELDS = QuantizerSettings.model_fields


class RunSettings(BaseModel):
    """A run, whole: equal settings on equal data give an equal artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recommender: str
    data: str
    seed: int
    filter: ListFilter
    quantizer: QuantizerSettings | None
    objective: ObjectiveSettings
    training: TrainingSettings
    model: dict[str, Any]
    """The recommender's own settings."""
    codes_from: str | None = None
    """Id of the trained model whose embeddings give the codes, where `assignment` is `given`."""

    def fingerprint(self, data_sha256: str) -> str:
        """A hash of the settings and the data: what a checkpoint is recognised by.

        Where a file of lists lies does not matter, only its name and what is in it.
        """
        values = self.model_dump(mode="json") | {"data": Path(self.data).name}
        content = json.dumps([values, data_sha256], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def parse_code_sizes(text: str) -> tuple[int, ...]:
    """Code sizes as the command line spells them: "500,10"."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(
            f"code sizes are whole numbers with commas between, like 500,10: got {text!r}"
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


def resolve(
    recommender: str,
    data: str,
    code_sizes: tuple[int, ...] | None,
    seed: int,
    values: Mapping[str, Any],
    codes_from: str | None = None,
) -> RunSettings:
    """Sort named values into the groups that they belong to, and check them all.

    codes_from: the id of a trained model that gives the codes, which then never change.

    Raises:
        SettingsError: an unknown recommender or name, or a value that its rule forbids.
    """
    entry = RECOMMENDERS.get(recommender)
    if entry is None:
        raise SettingsError(
            f"recommender must be one of {', '.join(RECOMMENDERS)}: got {recommender!r}"
        )
    groups: dict[str, type[BaseModel]] = {
        "filter": ListFilter,
        "model": entry.settings,
        "objective": ObjectiveSettings,
        "training": TrainingSettings,
        "quantizer": QuantizerSettings,
    }
    given: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for name, value in values.items():
        owners = [g for g, kind in groups.items() if name in kind.model_fields]
        # The list filter and the model both know max_length: it is the data's, the model follows.
        if not owners or name == "code_sizes":
            raise SettingsError(_unknown(name, groups))
        given[owners[0]][name] = value
    if codes_from is not None:
        given["quantizer"]["assignment"] = "given"
    elif given["quantizer"].get("assignment") == "given":
        raise SettingsError("assignment=given needs a trained model: name it with --codes-from")
    if code_sizes is None and given["quantizer"]:
        name = next(iter(given["quantizer"]))
        raise SettingsError(f"{name} belongs to COVE, which is off: add --cove, like --cove 500,10")
    try:
        rule = ListFilter(**(default_filter(data).model_dump() | given["filter"]))
        sizes = {"max_length": rule.max_length, "min_slots": max(1, rule.min_length // 2)}
        own = {k: v for k, v in sizes.items() if k in entry.settings.model_fields}
        model = entry.settings.model_validate(own | given["model"])
        training = TrainingSettings(**given["training"])
        warmup = min(_FIELDS["warmup_epochs"].default, training.epochs - 1)  # a short run has codes
        quantizer = (
            QuantizerSettings(
                code_sizes=code_sizes, **{"warmup_epochs": warmup} | given["quantizer"]
            )
            if code_sizes
            else None
        )
        if quantizer is not None and quantizer.first_epoch >= training.epochs:
            raise SettingsError(
                f"warmup_epochs must be below epochs ({training.epochs}), or the codes never "
                f"start: got {quantizer.first_epoch}"
            )
        return RunSettings(
            recommender=recommender,
            data=data,
            seed=seed,
            filter=rule,
            quantizer=quantizer,
            objective=ObjectiveSettings(**given["objective"]),
            training=training,
            model=model.model_dump(),
            codes_from=codes_from,
        )
    except ValidationError as error:
        raise SettingsError(first_problem(error)) from None


def _unknown(name: str, groups: Mapping[str, type[BaseModel]]) -> str:
    if name == "code_sizes":
        return "code_sizes is set by --cove, like --cove 500,10"
    names = [field for kind in groups.values() for field in kind.model_fields]
    close = get_close_matches(name, names, n=1)
    hint = f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(names))}"
    return f"there is no setting named {name!r}{hint}"
