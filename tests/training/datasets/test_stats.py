"""Counts of Table 1."""

import numpy as np
import pytest

from training.datasets.clicks import ClickData
from training.datasets.interactions import Facts, InteractionData
from training.datasets.stats import click_stats, interaction_stats, list_stats
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


def test_counts_of_four_samples_worked_by_hand() -> None:
    data = ClickData(
        name="small",
        user_ids=["x", "y"],
        item_ids=[1, 2, 3],
        users=np.array([0, 0, 1, 1]),
        items=np.array([0, 1, 2, 0]),
        labels=np.array([1, 0, 0, 1], dtype=np.uint8),
        timestamps=None,
        training_only=np.array([True, False, False, False]),
        titles=None,
        categories=None,
        sha256="0",
        source_users=4,
        source_items=5,
    )
    assert click_stats(data) == {
        "users": 2,
        "items": 3,
        "interactions": 2,
        "samples": 4,
        "training_only": 1,
        "density": pytest.approx(2 / 6),
        "source_users": 4,
        "source_items": 5,
        "source_density": pytest.approx(4 / 20),
    }


def test_counts_of_three_interactions_worked_by_hand() -> None:
    pairs = np.array([0, 0, 1]), np.array([0, 1, 1])
    graph = Facts(np.array([0, 1]), np.array([0, 0]), np.array([2, 2]), ["has"], ["x"])
    data = InteractionData("small", ["u", "v"], [7, 8], *pairs, None, graph, None, None, "0", 4, 5)
    assert interaction_stats(data) == {
        "users": 2,
        "items": 2,
        "interactions": 3,
        "samples": 6,
        "density": 0.75,
        "samples_density": 1.5,
        "source_users": 4,
        "source_items": 5,
        "facts": 2,
        "relations": 1,
        "entities": 1,
    }
    bare = InteractionData("small", ["u", "v"], [7, 8], *pairs, None, None, None, None, "0")
    counts = interaction_stats(bare)
    assert (counts["facts"], counts["relations"], counts["entities"]) == (None, None, None)
    assert (counts["source_users"], counts["source_items"]) == (2, 2)
