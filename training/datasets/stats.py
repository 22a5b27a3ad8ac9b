"""Counts of a data set, as in Table 1."""

from collections.abc import Mapping

from training.datasets.tables import ListData

Stats = Mapping[str, int | float | None]


def list_stats(data: ListData) -> Stats:
    """Count lists, distinct items and interactions (a repeat counts) of list data.

    `density` is the ratio interactions / (lists × items), not a percentage; `samples` is None, for
    lists have no negative samples.
    """
    lengths = [len(row) for row in data.lists]
    interactions = sum(lengths)
    items = len({item for row in data.lists for item in row})
    cells = len(lengths) * items
    return {
        "lists": len(lengths),
        "items": items,
        "interactions": interactions,
        "samples": None,
        "items_per_list": interactions / len(lengths) if lengths else 0.0,
        "shortest": min(lengths, default=0),
        "longest": max(lengths, default=0),
        "density": interactions / cells if cells else 0.0,
    }
