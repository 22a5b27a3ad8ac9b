"""From names and values, as a person gives them, to the settings of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cove.errors import SettingsError
from cove.objective import ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import CLICKS, LISTS, PREFERENCES, RECOMMENDERS, Entry, first_problem
from training.datasets import (
    Filter,
    ListFilter,
    default_click_filter,
    default_filter,
    default_interaction_filter,
    located,
)
from training.forms import DEFAULT, settings_of_form
from training.optimisation import TrainingSettings
from training.run_settings import RunSettings
from training.tasks import FILTERS
from training.tasks.click_through import SplitSettings
from training.tasks.negatives import PreferenceSettings

_FIELDS = QuantizerSettings.model_fields
COVE_SETTINGS = {"form", *_FIELDS, *ObjectiveSettings.model_fields}
"""Names that mean something with COVE alone."""


@dataclass(frozen=True)
class _Task:
    """The settings of a task's runs."""

    default_filter: Callable[[str], Filter]
    options: type[BaseModel] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    """Where its defaults are not those of `TrainingSettings`."""


_TASKS = {
    LISTS: _Task(default_filter),
    CLICKS: _Task(  # Section 4.1 has batches of 5,000
        default_click_filter,
        SplitSettings,
        {"epochs": 20, "batch_size": 1000, "learning_rate": 0.001},
    ),
    PREFERENCES: _Task(  # Section 4.1
        default_interaction_filter,
        PreferenceSettings,
        {"epochs": 100, "batch_size": 1024, "learning_rate": 0.001, "patience": 10},
    ),
}


def default_rule(task: str, data: str) -> Filter:
    """What is kept of a data set, or of a user's file, where nobody says."""
    return _TASKS[task].default_filter(data)


def resolve(
    recommender: str,
    data: str,
    code_sizes: tuple[int, ...] | None,
    seed: int,
    values: Mapping[str, Any],
    codes_from: str | None = None,
    user_code_sizes: tuple[int, ...] | None = None,
    directory: Path | None = None,
) -> RunSettings:
    """Sort named values into the groups that they belong to, and check them all.

    code_sizes, user_code_sizes: of COVE on items and on users, () for what suits the data, None
    where it is off; values: settings by name, and `form`, one of `FORMS`; codes_from: the id of a
    trained model that gives the codes, which then never change; directory: where a file's path is
    taken from.

    Raises:
        SettingsError: an unknown recommender or name, or a value that its rule forbids.
    """
    entry = RECOMMENDERS.get(recommender)
    if entry is None:
        raise SettingsError(
            f"recommender must be one of {', '.join(RECOMMENDERS)}: got {recommender!r}"
        )
    if user_code_sizes is not None and entry.task == LISTS:
        raise SettingsError(f"{recommender} knows no users: --user-cove is not for lists")
    kind = _TASKS[entry.task]
    named = dict(values)
    form = named.pop("form", None)
    given = _sort(named, _groups(entry))
    is_on = code_sizes is not None or user_code_sizes is not None
    _check_quantizer(given["quantizer"], form, is_on, codes_from)
    if is_on:
        evolves = given["quantizer"].get("assignment") == "nearest"
        form = form or ("evolving" if evolves else DEFAULT)
        of_form = _sort(settings_of_form(form, recommender), _groups(entry))
        given = {group: of_form[group] | given[group] for group in given}
    try:
        default = kind.default_filter(located(data, directory))
        rule = FILTERS[entry.task](**(default.model_dump() | given["filter"]))
        model = entry.settings.model_validate(_follow(entry, rule) | given["model"])
        training = TrainingSettings(**kind.training | given["training"])
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
            task_options=kind.options(**given["options"]).model_dump() if kind.options else {},
        )
    except ValidationError as error:
        raise SettingsError(first_problem(error)) from None


def _groups(entry: Entry) -> dict[str, type[BaseModel]]:
    """The kinds of settings that a run of this recommender has; the first that knows a name wins.

    The list filter and some models both know max_length: it is the data's, the model follows.
    """
    kind = _TASKS[entry.task]
    groups = {
        "filter": FILTERS[entry.task],
        "options": kind.options,
        "model": entry.settings,
        "objective": ObjectiveSettings,
        "training": TrainingSettings,
        "quantizer": QuantizerSettings,
    }
    return {name: group for name, group in groups.items() if group is not None}


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
    given: dict[str, Any], form: object, is_on: bool, codes_from: str | None
) -> None:
    if codes_from is not None and not is_on:
        raise SettingsError("--codes-from needs COVE, which is off: add --cove, like --cove auto")
    if codes_from is not None:
        given["assignment"] = "given"
    elif given.get("assignment") == "given":
        raise SettingsError("assignment=given needs a trained model: name it with --codes-from")
    if not is_on and (given or form is not None):
        name = next(iter(given), "form")
        raise SettingsError(f"{name} belongs to COVE, which is off: add --cove, like --cove auto")


def _follow(entry: Entry, rule: BaseModel) -> dict[str, Any]:
    """What a model takes from the rule by which its data are filtered."""
    if not isinstance(rule, ListFilter):
        return {}
    sizes = {"max_length": rule.max_length, "min_slots": max(1, rule.min_length // 2)}
    return {name: size for name, size in sizes.items() if name in entry.settings.model_fields}


def _quantizer(
    code_sizes: tuple[int, ...] | None, epochs: int, given: Mapping[str, Any]
) -> QuantizerSettings | None:
    if code_sizes is None:
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
    names = {"form"}.union(*(kind.model_fields for kind in groups.values())) - {"code_sizes"}
    close = get_close_matches(name, names, n=1)
    hint = f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(names))}"
    return f"there is no setting named {name!r}{hint}"
