"""Data sets by name, and a user's own files, as validated and filtered lists."""

from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.filtering import filter_lists
from training.datasets.ml100k import ML100K
from training.datasets.pair_lines import AOTM, GOODREADS, SPOTIFY, ZHIHU
from training.datasets.spotify_attlist import SPOTIFY_ATTLIST
from training.datasets.tables import Dataset, ListData, ListFilter
from training.datasets.user_file import SUFFIXES, load_user_file

__all__ = ["DATASETS", "Dataset", "ListData", "ListFilter", "default_filter", "load_lists"]

Value = TypeVar("Value")

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (AOTM, SPOTIFY_ATTLIST, ML100K, ZHIHU, SPOTIFY, GOODREADS)
}


def default_filter(name_or_file: str) -> ListFilter:
    """Give the filter of a named data set, or the one for a user's file."""
    known = DATASETS.get(name_or_file)
    return known.default_filter if known else ListFilter()


def load_lists(
    name_or_file: str, directory: Path | None = None, filter: ListFilter | None = None
) -> ListData:
    """Load a named data set or a user's file, and filter it.

    Args:
        name_or_file: a name in `DATASETS`, or the path of a CSV, TSV, Parquet or `.inter` file.
        directory: the data set's folder, or a folder that holds one with the data set's name; a
            file's path is taken from here.
        filter: what is kept; None means the data set's own (`default_filter`).

    Raises:
        DataError: the name or file is unknown or malformed, or nothing is left after the filter.
    """
    data = _load(str(name_or_file), directory)
    return _filtered(data, filter or default_filter(str(name_or_file)))


def _load(name_or_file: str, directory: Path | None) -> ListData:
    dataset = DATASETS.get(name_or_file)
    if dataset is not None:
        if directory is None:
            raise DataError(f"the data set {dataset.name} needs its folder: name it with --from")
        return dataset.load(directory)
    path = Path(name_or_file) if directory is None else directory / name_or_file
    if path.exists() or path.suffix or len(Path(name_or_file).parts) > 1:
        return load_user_file(path)
    close = get_close_matches(name_or_file.lower(), DATASETS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(DATASETS)}"
    raise DataError(
        f"there is no data set {name_or_file!r} ({hint}) and no such file, "
        f"whose name would end in {', '.join(SUFFIXES)}"
    )


def _filtered(data: ListData, filter: ListFilter) -> ListData:
    lists, positions = filter_lists(data.lists, filter)
    if not lists:
        raise DataError(f"{data.name}: none of {len(data.lists)} lists is left after {filter}")
    kept = {item for row in lists for item in row}
    return ListData(
        name=data.name,
        lists=lists,
        list_ids=[data.list_ids[position] for position in positions],
        titles=_only(data.titles, kept),
        categories=_only(data.categories, kept),
        sha256=data.sha256,
    )


def _only(
    table: dict[ExternalId, Value] | None, kept: set[ExternalId]
) -> dict[ExternalId, Value] | None:
    if table is None:
        return None
    return {item: value for item, value in table.items() if item in kept}
