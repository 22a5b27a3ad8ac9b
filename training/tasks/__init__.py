"""The tasks: from a run's settings to data that are ready to train and to be measured on."""

from pathlib import Path
from typing import TYPE_CHECKING

from cove.errors import DataError
from cove.recommenders import LISTS
from training.datasets import ClickData, ClickFilter, ListData, ListFilter, load_clicks, load_lists
from training.tasks.click_through import ClickThrough, prepare_clicks
from training.tasks.list_completion import ListCompletion, prepare

if TYPE_CHECKING:
    from training.run_settings import RunSettings

__all__ = ["Data", "PreparedTask", "load_data", "prepare_task"]

Data = ListData | ClickData
PreparedTask = ListCompletion | ClickThrough


def load_data(settings: "RunSettings", directory: Path | None) -> Data:
    """The filtered data of a run.

    Raises:
        DataError: the data are unknown or malformed, or nothing is left of them.
    """
    if settings.task == LISTS:
        assert isinstance(settings.filter, ListFilter)
        return load_lists(settings.data, directory, settings.filter)
    assert isinstance(settings.filter, ClickFilter)
    return load_clicks(settings.data, directory, settings.filter)


def prepare_task(settings: "RunSettings", data: Data) -> PreparedTask:
    """Split and index the data of a run.

    Raises:
        DataError: there are too few to train, validate and test.
    """
    if isinstance(data, ListData):
        return prepare(data, settings.seed)
    task = prepare_clicks(data, settings.seed, settings.split)
    for split in ("train", "valid"):
        if len(getattr(task, split).labels.unique()) < 2:
            raise DataError(
                f"{data.name}: the {split} split has clicks alone, or none: with so few samples "
                "nothing can be chosen by AUC"
            )
    return task
