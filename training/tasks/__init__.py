"""The tasks: from a run's settings to data that are ready to train and to be measured on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cove.errors import DataError
from cove.recommenders import CLICKS, LISTS, PREFERENCES
from training.datasets import (
    ClickData,
    ClickFilter,
    InteractionData,
    InteractionFilter,
    ListData,
    ListFilter,
    load_clicks,
    load_interactions,
    load_lists,
)
from training.tasks.click_through import ClickThrough, prepare_clicks
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.list_completion import ListCompletion, prepare
from training.tasks.negatives import PreferenceSettings

__all__ = ["FILTERS", "Data", "Filter", "PreparedTask", "load_data", "prepare_task"]

Data = ListData | ClickData | InteractionData
PreparedTask = ListCompletion | ClickThrough | CollaborativeFiltering
Filter = ListFilter | ClickFilter | InteractionFilter
FILTERS: dict[str, type[Filter]] = {
    LISTS: ListFilter,
    CLICKS: ClickFilter,
    PREFERENCES: InteractionFilter,
}


def load_data(data: str, directory: Path | None, rule: Filter) -> Data:
    """The filtered data of a run; the filter's kind says what they are read as.

    Raises:
        DataError: the data are unknown or malformed, or nothing is left of them.
    """
    if isinstance(rule, ListFilter):
        return load_lists(data, directory, rule)
    if isinstance(rule, ClickFilter):
        return load_clicks(data, directory, rule)
    return load_interactions(data, directory, rule)


def prepare_task(data: Data, seed: int, options: Mapping[str, Any]) -> PreparedTask:
    """Split and index data; options: what the task's own settings say.

    Raises:
        DataError: there are too few to train, validate and test.
    """
    if isinstance(data, ListData):
        return prepare(data, seed)
    if isinstance(data, InteractionData):
        return prepare_preferences(data, seed, PreferenceSettings(**options))
    task = prepare_clicks(data, seed, options["split"])
    for split in ("train", "valid"):
        if len(getattr(task, split).labels.unique()) < 2:
            raise DataError(
                f"{data.name}: the {split} split has clicks alone, or none: with so few samples "
                "nothing can be chosen by AUC"
            )
    return task
