"""Splitting: lists and samples of clicks 8 : 1 : 1, a list into halves, interactions by user.

Lists part into input and target; of interactions each user leaves one out for test, one for
validation.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cove.errors import DataError
from training.datasets.clicks import ClickData
from training.datasets.grouping import Indices
from training.datasets.interactions import InteractionData

ClickSplit = Literal["random", "time"]
Item = TypeVar("Item")
LEAST_TO_TEST = 3
"""Interactions of a user of whom two are held out."""


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


class ClickSplits(NamedTuple):
    """Positions of the samples of each split, [*] int64, ascending."""

    train: Indices
    valid: Indices
    test: Indices


def split_clicks(data: ClickData, split: ClickSplit, seed: int) -> ClickSplits:
    """Part samples 8 : 1 : 1, at random with the seed or by time (which has no use for the seed).

    Samples for training only go to training and do not count for the shares.

    Raises:
        DataError: there are fewer than 3 other samples, or none has a time and `split` is by time.
    """
    if data.training_only is None:
        free = np.arange(len(data.labels))
        fixed = free[:0]
    else:
        free, fixed = np.flatnonzero(~data.training_only), np.flatnonzero(data.training_only)
    if split == "random":
        parts = split_samples(len(free), seed)
    elif data.timestamps is None:
        raise DataError(f"{data.name} has no timestamps: it can be split at random, not by time")
    else:
        parts = split_by_time(data.timestamps[free])
    train = np.sort(np.concatenate((free[parts.train], fixed)))
    return ClickSplits(train, free[parts.valid], free[parts.test])


def split_samples(num_samples: int, seed: int) -> ClickSplits:
    """Part `num_samples` positions at random, with the sizes of `split_lists`.

    A (user, item) pair that comes twice may lie in two splits.

    Raises:
        DataError: there are fewer than 3 samples, so a split would be empty.
    """
    return _parted(np.random.default_rng(seed).permutation(num_samples))


def split_by_time(timestamps: npt.NDArray[np.float64]) -> ClickSplits:
    """Part samples by time ([n], any unit): test is the last tenth, validation the one before.

    Of samples at one time those that come first in the data count as earlier.

    Raises:
        DataError: there are fewer than 3 samples, so a split would be empty.
    """
    return _parted(np.argsort(timestamps, kind="stable"))


def _parted(order: Indices) -> ClickSplits:
    if len(order) < 3:
        raise DataError(
            "the samples must be at least 3 to give training, validation and test: "
            f"got {len(order)}"
        )
    tenth = max(1, len(order) // 10)
    train = len(order) - 2 * tenth
    parts = order[:train], order[train : train + tenth], order[train + tenth :]
    return ClickSplits(*(np.sort(part) for part in parts))


class PairSplits(NamedTuple):
    """Positions of the interactions of each split, [*] int64, ascending."""

    train: Indices
    valid: Indices
    test: Indices


def leave_one_out(data: InteractionData, seed: int) -> PairSplits:
    """Take each user's last interaction for test and the last but one for validation.

    Of interactions at one time those that come first in the data count as earlier. Where the data
    have no order, the seed draws the two of each user; with an order it changes nothing. A user
    with fewer than 3 interactions goes to training whole.

    Raises:
        DataError: no user has 3 interactions.
    """
    num_rows = len(data.users)
    order = data.order
    if order is None:
        order = np.random.default_rng(seed).random(num_rows)
    valid, test = last_two(data.users, order)
    if not len(test):
        raise nobody_to_test(data.name)
    kept = np.ones(num_rows, dtype=np.bool_)
    kept[valid] = kept[test] = False
    return PairSplits(np.flatnonzero(kept), np.sort(valid), np.sort(test))


def last_two(users: Indices, order: npt.NDArray[np.float64]) -> tuple[Indices, Indices]:
    """The rows of the last interaction but one, and of the last, of each user with 3 or more.

    users: [n] from 0, order: [n]; of rows of one order those that come first are earlier.
    """
    by_user = np.lexsort((order, users))
    counts = np.bincount(users)
    ends = np.cumsum(counts)[counts >= LEAST_TO_TEST]
    return by_user[ends - 2], by_user[ends - 1]


def nobody_to_test(name: str) -> DataError:
    """What is wrong with interactions of which no user has enough."""
    return DataError(
        f"{name}: no user has {LEAST_TO_TEST} interactions, one each for training, validation and "
        "test"
    )
