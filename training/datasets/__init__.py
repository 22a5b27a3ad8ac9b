"""Data sets by name and a user's own files, validated and filtered.

They are read as lists, as clicks or as interactions.
"""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from cove.errors import DataError
from training.datasets.amazon import AMAZON, KINDLE
from training.datasets.clicks import ClickData, ClickFilter, build_clicks
from training.datasets.filtering import filter_lists
from training.datasets.grocery import GROCERY_KG
from training.datasets.interactions import (
    Facts,
    InteractionData,
    InteractionFilter,
    build_interactions,
)
from training.datasets.mind import MIND, MIND_SMALL_SAMPLE
from training.datasets.ml100k import ML100K
from training.datasets.pair_lines import AOTM, GOODREADS, SPOTIFY, ZHIHU
from training.datasets.prepared import (
    PreparedInteractions,
    is_prepared,
    open_prepared,
    read_manifest,
)
from training.datasets.rules import of_kept
from training.datasets.spotify_attlist import SPOTIFY_ATTLIST
from training.datasets.tables import Dataset, Kind, ListData, ListFilter
from training.datasets.user_clicks import load_user_clicks
from training.datasets.user_file import SUFFIXES, load_user_file
from training.datasets.user_interactions import kind_of_file, load_user_interactions
from training.datasets.user_lines import KINDLE_10CORE, TOYS

__all__ = [
    "DATASETS",
    "ClickData",
    "ClickFilter",
    "Data",
    "Dataset",
    "Facts",
    "Filter",
    "InteractionData",
    "InteractionFilter",
    "Kind",
    "ListData",
    "ListFilter",
    "PreparedInteractions",
    "default_click_filter",
    "default_filter",
    "default_interaction_filter",
    "kind_of",
    "load_clicks",
    "load_data",
    "load_interactions",
    "load_lists",
    "located",
]

Data = ListData | ClickData | InteractionData | PreparedInteractions
Filter = ListFilter | ClickFilter | InteractionFilter
Raw = TypeVar("Raw")

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        AOTM, SPOTIFY_ATTLIST, ML100K, MIND, MIND_SMALL_SAMPLE, ZHIHU, SPOTIFY, GOODREADS,
        TOYS, KINDLE_10CORE, GROCERY_KG, KINDLE, AMAZON,
    )
}  # fmt: skip


def default_filter(name_or_file: str) -> ListFilter:
    """Give the filter of a named data set's lists, or the one for a user's file."""
    known = DATASETS.get(name_or_file)
    return known.default_filter if known else ListFilter()


def default_click_filter(name_or_file: str) -> ClickFilter:
    """Give the filter of a named data set's clicks, or the one for a user's file."""
    known = DATASETS.get(name_or_file)
    return known.default_click_filter if known else ClickFilter()


def default_interaction_filter(name_or_file: str) -> InteractionFilter:
    """Give the filter of a named data set's interactions, the one that a prepared folder was made
    with, or the one for a user's file.

    A core of 5 is the field's habit, and what Toys and Kindle of Table 1 were published with; it
    also leaves every user enough for one validation and one test interaction. `kindle_10core` was
    published with 10. `grocery_kg` was published with 5 before the last two interactions of each
    user were taken away, so 5 of what is left drops 56 % of its users. Only `ml100k` has a least
    rating, 4: its users rated what they disliked too.
    """
    known = DATASETS.get(name_or_file)
    if known is not None:
        return known.default_interaction_filter
    path = Path(name_or_file)
    return read_manifest(path).filter if is_prepared(path) else InteractionFilter()


def kind_of(name_or_file: str, directory: Path | None = None) -> Kind:
    """Tell what a named data set, a prepared folder or a user's file is read as where nobody says.

    Raises:
        DataError: the name or file is unknown, or the file has the columns of none.
    """
    source = _source(str(name_or_file), directory)
    if isinstance(source, Dataset):
        return source.kinds[0]
    return "interactions" if is_prepared(source) else kind_of_file(source)


def load_lists(
    name_or_file: str, directory: Path | None = None, filter: ListFilter | None = None
) -> ListData:
    """Load the lists of a named data set or a user's file, and filter them.

    Args:
        name_or_file: a name in `DATASETS`, or the path of a CSV, TSV, Parquet or `.inter` file.
        directory: the data set's folder, or a folder that holds one with the data set's name; a
            file's path is taken from here.
        filter: what is kept; None means the data set's own (`default_filter`).

    Raises:
        DataError: the name or file is unknown or malformed, the data set has no lists, or nothing
            is left after the filter.
    """
    data = _read(name_or_file, directory, "lists", load_user_file, lambda known: known.load)
    return _filtered(data, filter or default_filter(str(name_or_file)))


def load_clicks(
    name_or_file: str, directory: Path | None = None, filter: ClickFilter | None = None
) -> ClickData:
    """Load the clicks of a named data set or a user's file, label and filter them.

    The arguments are those of `load_lists`; no filter means `default_click_filter`.

    Raises:
        DataError: the name or file is unknown or malformed, the data set has no clicks, or the
            filter leaves no sample or only samples of one label.
        SettingsError: the filter bounds ratings, where the samples have labels.
    """
    raw = _read(
        name_or_file, directory, "clicks", load_user_clicks, lambda known: known.load_clicks
    )
    return build_clicks(raw, filter or default_click_filter(str(name_or_file)))


def load_interactions(
    name_or_file: str, directory: Path | None = None, filter: InteractionFilter | None = None
) -> InteractionData | PreparedInteractions:
    """Load the interactions of a named data set or a user's file, and filter them; or open a
    prepared folder, where that was done.

    The arguments are those of `load_lists`; no filter means `default_interaction_filter`.

    Raises:
        DataError: the name or file is unknown or malformed, the data set has no interactions, or
            nothing is left after the filter.
        SettingsError: the filter bounds ratings, and the rows have none; or it is not the one that
            the folder was prepared with.
    """
    source = _source(str(name_or_file), directory)
    if isinstance(source, Path) and is_prepared(source):
        return open_prepared(source, filter)
    raw = _read(
        name_or_file,
        directory,
        "interactions",
        load_user_interactions,
        lambda known: known.load_interactions,
    )
    return build_interactions(raw, filter or default_interaction_filter(str(name_or_file)))


def load_data(name_or_file: str, directory: Path | None, filter: Filter) -> Data:
    """Load and filter data as what the filter is for: `load_lists` and its kin in one.

    Raises:
        DataError, SettingsError: as the one that is called.
    """
    if isinstance(filter, ListFilter):
        return load_lists(name_or_file, directory, filter)
    if isinstance(filter, ClickFilter):
        return load_clicks(name_or_file, directory, filter)
    return load_interactions(name_or_file, directory, filter)


def _read(
    name_or_file: str,
    directory: Path | None,
    kind: Kind,
    load_file: Callable[[Path], Raw],
    loader_of: Callable[[Dataset], Callable[[Path], Raw] | None],
) -> Raw:
    """Read a user's file, or a named data set if it has a loader of this kind."""
    source = _source(str(name_or_file), directory)
    if isinstance(source, Path):
        return load_file(source)
    load = loader_of(source)
    if load is None:
        held = " and ".join(source.kinds)
        raise DataError(f"the data set {source.name} holds {held}, not {kind}")
    return load(_folder(source, directory))


def located(name_or_file: str, directory: Path | None) -> str:
    """Give a user's file by its path, which is taken from the folder; a data set by its name."""
    if directory is None or name_or_file in DATASETS:
        return name_or_file
    return str(directory / name_or_file)


def _source(name_or_file: str, directory: Path | None) -> Dataset | Path:
    """Give the data set of this name, or else the path of a user's file."""
    dataset = DATASETS.get(name_or_file)
    if dataset is not None:
        return dataset
    path = Path(located(name_or_file, directory))
    if path.exists() or path.suffix or len(Path(name_or_file).parts) > 1:
        return path
    close = get_close_matches(name_or_file.lower(), DATASETS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(DATASETS)}"
    raise DataError(
        f"there is no data set {name_or_file!r} ({hint}) and no such file, "
        f"whose name would end in {', '.join(SUFFIXES)}"
    )


def _folder(dataset: Dataset, directory: Path | None) -> Path:
    if directory is None:
        raise DataError(f"the data set {dataset.name} needs its folder: name it with --from")
    return directory


def _filtered(data: ListData, filter: ListFilter) -> ListData:
    lists, positions = filter_lists(data.lists, filter)
    if not lists:
        raise DataError(f"{data.name}: none of {len(data.lists)} lists is left after {filter}")
    kept = {item for row in lists for item in row}
    return ListData(
        name=data.name,
        lists=lists,
        list_ids=[data.list_ids[position] for position in positions],
        titles=of_kept(data.titles, kept),
        categories=of_kept(data.categories, kept),
        sha256=data.sha256,
    )
