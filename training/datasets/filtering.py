"""Filtering lists to a fixpoint: frequent items, lists within bounds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cove.vocabulary import ExternalId
from training.datasets.tables import ListFilter

Indices = npt.NDArray[np.int64]


def filter_lists(
    lists: Sequence[list[ExternalId]], filter: ListFilter
) -> tuple[list[list[ExternalId]], list[int]]:
    """Keep what the filter allows, again and again until nothing changes.

    One round drops the items that occur fewer than `min_count` times in all (a repeat inside a list
    counts), then the lists shorter than `min_length`, then cuts or drops those longer than
    `max_length`. Order and repeats are kept.

    Returns:
        The kept lists, and the position that each had in `lists` (ascending).
    """
    items, owners, externals = _flatten(lists)
    while True:
        before = len(items)
        counts = np.bincount(items, minlength=len(externals))
        frequent = counts[items] >= filter.min_count
        items, owners = items[frequent], owners[frequent]
        fitting = _within_bounds(owners, len(lists), filter)
        items, owners = items[fitting], owners[fitting]
        if len(items) == before:
            return _unflatten(items, owners, externals)


def _flatten(
    lists: Sequence[list[ExternalId]],
) -> tuple[Indices, Indices, list[ExternalId]]:
    """Number the items by first occurrence: item and list of every occurrence, and the ids."""
    index_of: dict[ExternalId, int] = {}
    items = np.fromiter(
        (index_of.setdefault(item, len(index_of)) for row in lists for item in row), dtype=np.int64
    )
    lengths = np.fromiter((len(row) for row in lists), dtype=np.int64, count=len(lists))
    return items, np.repeat(np.arange(len(lists)), lengths), list(index_of)


def _within_bounds(owners: Indices, num_lists: int, filter: ListFilter) -> npt.NDArray[np.bool_]:
    """Mark the occurrences that stay, given the list of each (ascending)."""
    lengths = np.bincount(owners, minlength=num_lists)
    kept = lengths >= filter.min_length
    if filter.too_long == "drop":
        kept &= lengths <= filter.max_length
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1])) if num_lists else lengths
    place = np.arange(len(owners)) - starts[owners]
    return kept[owners] & (place < filter.max_length)


def _unflatten(
    items: Indices, owners: Indices, externals: list[ExternalId]
) -> tuple[list[list[ExternalId]], list[int]]:
    positions, starts = np.unique(owners, return_index=True)
    pieces = np.split(items, starts[1:]) if len(positions) else []
    return [[externals[index] for index in piece] for piece in pieces], positions.tolist()
