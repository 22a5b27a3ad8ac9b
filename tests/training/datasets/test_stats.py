"""Counts of Table 1."""

from training.datasets.stats import list_stats
from training.datasets.tables import ListData


def test_counts_of_two_small_lists_worked_by_hand() -> None:
    data = ListData("small", [[1, 2, 2], [1, 2, 3, 4, 5]], ["x", "y"], None, None, "0")
    assert list_stats(data) == {
        "lists": 2,
        "items": 5,
        "interactions": 8,
        "samples": None,
        "items_per_list": 4.0,
        "shortest": 3,
        "longest": 5,
        "density": 0.8,
    }


def test_no_list_counts_as_zero() -> None:
    counts = list_stats(ListData("none", [], [], None, None, "0"))
    assert counts["lists"] == counts["items"] == counts["density"] == counts["shortest"] == 0
