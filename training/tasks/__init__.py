"""The tasks: from a run's settings to data that are ready to train and to be measured on."""

from collections.abc import Mapping
from typing import Any

from cove.errors import DataError
from cove.recommenders import CLICKS, LISTS, PREFERENCES
from training.datasets import (
    ClickFilter,
    Data,
    Filter,
    InteractionData,
    InteractionFilter,
    ListData,
    ListFilter,
    PreparedInteractions,
)
from training.tasks.click_through import ClickThrough, prepare_clicks
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.list_completion import ListCompletion, prepare
from training.tasks.negatives import PreferenceSettings
from training.tasks.sharded import prepare_sharded

__all__ = ["FILTERS", "PreparedTask", "prepare_task", "selection_metric"]

PreparedTask = ListCompletion | ClickThrough | CollaborativeFiltering
FILTERS: dict[str, type[Filter]] = {
    LISTS: ListFilter,
    CLICKS: ClickFilter,
    PREFERENCES: InteractionFilter,
}


def selection_metric(task: str) -> str:
    """The metric that validation is judged by."""
    kinds = (ListCompletion, ClickThrough, CollaborativeFiltering)
    return {kind.name: kind.selection_metric for kind in kinds}[task]


def prepare_task(data: Data, seed: int, options: Mapping[str, Any]) -> PreparedTask:
    """Split and index data; options: what the task's own settings say.

    Raises:
        DataError: there are too few to train, validate and test.
    """
    if isinstance(data, ListData):
        return prepare(data, seed)
    if isinstance(data, InteractionData):
        return prepare_preferences(data, seed, PreferenceSettings(**options))
    if isinstance(data, PreparedInteractions):
        return prepare_sharded(data, seed, PreferenceSettings(**options))
    task = prepare_clicks(data, seed, options["split"])
    for split in ("train", "valid"):
        if len(getattr(task, split).labels.unique()) < 2:
            raise DataError(
                f"{data.name}: the {split} split has clicks alone, or none: with so few samples "
                "nothing can be chosen by AUC"
            )
    return task
