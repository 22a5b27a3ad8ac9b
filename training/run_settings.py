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
from cove.recommenders import CLICKS, LISTS, RECOMMENDERS, Entry, first_problem
from training.datasets import (
    ClickFilter,
    ListFilter,
    default_click_filter,
    default_filter,
)
from training.datasets.splitting import ClickSplit
from training.optimisation import TrainingSettings

_FIELDS = QuantizerSettings.model_fields
_TRAINING_DEFAULTS: dict[str, dict[str, Any]] = {
    LISTS: {},
    CLICKS: {"epochs": 20, "batch_size": 1000, "learning_rate": 0.001},
}
"""Where a task's defaults are not those of `TrainingSettings`. Clicks: Section 4.1 has batches of
5,000 at 0.001."""
_LATER_FIELDS: dict[str, Any] = {"user_quantizer": None, "split": "random", "row_sparse": "auto"}
"""Settings that came after the first artifacts: at these values they leave fingerprints alone."""


class SplitSettings(BaseModel):
    """How samples are parted; lists have their one rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: ClickSplit = "random"
    """8 : 1 : 1 by the seed, or the last tenth in time for testing, the one before to validate."""


class RunSettings(BaseModel):
    """A run, whole: equal settings on equal data give an equal artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recommender: str
    data: str
    seed: int
    filter: ListFilter | ClickFilter
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
    split: ClickSplit = "random"

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

        Where a file of lists lies does not matter, only its name and what is in it.
        """
        values = self.model_dump(mode="json") | {"data": Path(self.data).name}
        for group in (values, values["training"]):
            for name, value in _LATER_FIELDS.items():
                if name in group and group[name] == value:
                    del group[name]
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
    user_code_sizes: tuple[int, ...] | None = None,
) -> RunSettings:
    """Sort named values into the groups that they belong to, and check them all.

    code_sizes, user_code_sizes: of COVE on items and on users; codes_from: the id of a trained
    model that gives the codes, which then never change.

    Raises:
        SettingsError: an unknown recommender or name, or a value that its rule forbids.
    """
    entry = RECOMMENDERS.get(recommender)
    if entry is None:
        raise SettingsError(
            f"recommender must be one of {', '.join(RECOMMENDERS)}: got {recommender!r}"
        )
    if user_code_sizes and entry.task == LISTS:
        raise SettingsError(f"{recommender} knows no users: --user-cove is not for lists")
    given = _sort(values, _groups(entry))
    _check_quantizer(given["quantizer"], code_sizes or user_code_sizes, codes_from)
    try:
        model, rule = _model_and_filter(entry, data, given)
        training = TrainingSettings(**_TRAINING_DEFAULTS[entry.task] | given["training"])
        quantizer, user_quantizer = (
            _quantizer(sizes, training.epochs, given["quantizer"])
            for sizes in (code_sizes, user_code_sizes)
        )
        return RunSettings(
            recommender=recommender,
            data=data,
            seed=seed,
            filter=rule,
            quantizer=quantizer,
            user_quantizer=user_quantizer,
            objective=ObjectiveSettings(**given["objective"]),
            training=training,
            model=model.model_dump(mode="json"),
            codes_from=codes_from,
            split=SplitSettings(**given.get("split", {})).split,
        )
    except ValidationError as error:
        raise SettingsError(first_problem(error)) from None


def _groups(entry: Entry) -> dict[str, type[BaseModel]]:
    """The kinds of settings that a run of this recommender has; the first that knows a name wins.

    The list filter and some models both know max_length: it is the data's, the model follows.
    """
    shared: dict[str, type[BaseModel]] = {
        "model": entry.settings,
        "objective": ObjectiveSettings,
        "training": TrainingSettings,
        "quantizer": QuantizerSettings,
    }
    if entry.task == LISTS:
        return {"filter": ListFilter} | shared
    return {"filter": ClickFilter, "split": SplitSettings} | shared


def _sort(
    values: Mapping[str, Any], groups: Mapping[str, type[BaseModel]]
) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for name, value in values.items():
        owners = [group for group, kind in groups.items() if name in kind.model_fields]
        if not owners or name == "code_sizes":
            raise SettingsError(_unknown(name, groups))
        given[owners[0]][name] = value
    return given


def _check_quantizer(
    given: dict[str, Any], code_sizes: tuple[int, ...] | None, codes_from: str | None
) -> None:
    if codes_from is not None:
        given["assignment"] = "given"
    elif given.get("assignment") == "given":
        raise SettingsError("assignment=given needs a trained model: name it with --codes-from")
    if code_sizes is None and given:
        name = next(iter(given))
        raise SettingsError(f"{name} belongs to COVE, which is off: add --cove, like --cove 500,10")


def _model_and_filter(
    entry: Entry, data: str, given: Mapping[str, dict[str, Any]]
) -> tuple[BaseModel, ListFilter | ClickFilter]:
    if entry.task != LISTS:
        rule = ClickFilter(**(default_click_filter(data).model_dump() | given["filter"]))
        return entry.settings.model_validate(given["model"]), rule
    lists = ListFilter(**(default_filter(data).model_dump() | given["filter"]))
    sizes = {"max_length": lists.max_length, "min_slots": max(1, lists.min_length // 2)}
    own = {k: v for k, v in sizes.items() if k in entry.settings.model_fields}
    return entry.settings.model_validate(own | given["model"]), lists


def _quantizer(
    code_sizes: tuple[int, ...] | None, epochs: int, given: Mapping[str, Any]
) -> QuantizerSettings | None:
    if not code_sizes:
        return None
    warmup = min(_FIELDS["warmup_epochs"].default, epochs - 1)  # a short run has codes
    quantizer = QuantizerSettings(code_sizes=code_sizes, **{"warmup_epochs": warmup} | dict(given))
    if quantizer.first_epoch >= epochs:
        raise SettingsError(
            f"warmup_epochs must be below epochs ({epochs}), or the codes never start: "
            f"got {quantizer.first_epoch}"
        )
    return quantizer


def _unknown(name: str, groups: Mapping[str, type[BaseModel]]) -> str:
    if name == "code_sizes":
        return "code_sizes is set by --cove, like --cove 500,10"
    names = [field for kind in groups.values() for field in kind.model_fields]
    close = get_close_matches(name, names, n=1)
    hint = f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(names))}"
    return f"there is no setting named {name!r}{hint}"
