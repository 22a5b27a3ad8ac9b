"""Splitting: 8 : 1 : 1 over the lists, and each list into input and target."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from cove.errors import DataError

Item = TypeVar("Item")


class Splits(NamedTuple):
    """Positions of the lists of each split, in the shuffled order."""

    train: list[int]
    valid: list[int]
    test: list[int]


def split_lists(num_lists: int, seed: int) -> Splits:
    """Shuffle `num_lists` positions with the seed and part them 8 : 1 : 1.

    Validation and test get a tenth each, rounded down but at least one list; training the rest.

    Raises:
        DataError: there are fewer than 3 lists, so a split would be empty.
    """
    if num_lists < 3:
        raise DataError(
            f"the lists must be at least 3 to give training, validation and test: got {num_lists}"
        )
    order = np.random.default_rng(seed).permutation(num_lists).tolist()
    tenth = max(1, num_lists // 10)
    train = num_lists - 2 * tenth
    return Splits(order[:train], order[train : train + tenth], order[train + tenth :])


def halve(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Part a list into input and target: the first floor(n / 2) items, and the rest."""
    middle = len(items) // 2
    return list(items[:middle]), list(items[middle:])
