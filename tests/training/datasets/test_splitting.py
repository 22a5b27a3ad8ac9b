"""The 8 : 1 : 1 splits of lists and of samples, the halving of lists, and leaving one out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import DataError
from training.datasets.clicks import ClickData
from training.datasets.interactions import InteractionData
from training.datasets.splitting import (
    halve,
    leave_one_out,
    split_clicks,
    split_lists,
    split_samples,
)

sizes = st.integers(3, 500)
seeds = st.integers(0, 2**32)


def test_a_hundred_lists_part_into_80_10_and_10() -> None:
    assert [len(part) for part in split_lists(100, seed=0)] == [80, 10, 10]


def test_aotm_parts_into_10352_1294_and_1294() -> None:
    assert [len(part) for part in split_lists(12_940, seed=3)] == [10_352, 1_294, 1_294]


@given(sizes, seeds)
def test_every_list_is_in_exactly_one_split(num_lists: int, seed: int) -> None:
    train, valid, test = split_lists(num_lists, seed)
    assert sorted(train + valid + test) == list(range(num_lists))
    assert len(valid) == len(test) == max(1, num_lists // 10)


@given(sizes, seeds)
def test_a_seed_gives_the_same_split_again(num_lists: int, seed: int) -> None:
    assert split_lists(num_lists, seed) == split_lists(num_lists, seed)


def test_seeds_differ_and_lists_are_shuffled() -> None:
    assert split_lists(100, seed=0) != split_lists(100, seed=1)
    assert split_lists(100, seed=0).test != list(range(90, 100))


def test_the_split_of_seed_0_stays_what_it_is() -> None:
    train, valid, test = split_lists(10, seed=0)
    assert (train, valid, test) == ([4, 6, 2, 7, 3, 5, 9, 0], [8], [1])


def test_two_lists_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"at least 3 .*: got 2"):
        split_lists(2, seed=0)


def test_the_input_is_the_first_half_rounded_down() -> None:
    assert halve([1, 2, 3, 4, 5]) == ([1, 2], [3, 4, 5])
    assert halve([1, 2, 3, 4]) == ([1, 2], [3, 4])
    assert halve(["a"]) == ([], ["a"])


@given(st.lists(st.integers()))
def test_halves_join_to_the_list(items: list[int]) -> None:
    first, rest = halve(items)
    assert first + rest == items
    assert 0 <= len(rest) - len(first) <= 1


def samples(times: list[float] | None, fixed: list[int], number: int) -> ClickData:
    """Samples of one user and item; those at the positions `fixed` are for training only."""
    zeros = np.zeros(number, dtype=np.int64)
    return ClickData(
        name="small",
        user_ids=[1],
        item_ids=[1],
        users=zeros,
        items=zeros,
        labels=zeros.astype(np.uint8),
        timestamps=None if times is None else np.array(times),
        training_only=np.isin(np.arange(number), fixed) if fixed else None,
        titles=None,
        categories=None,
        sha256="0",
    )


@given(sizes, seeds)
def test_every_sample_is_in_exactly_one_split(number: int, seed: int) -> None:
    parts = split_samples(number, seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(number))
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    lists = split_lists(number, seed)
    assert [part.tolist() for part in parts] == [sorted(part) for part in lists]


def test_by_time_the_last_tenth_is_test_and_the_tenth_before_it_validation() -> None:
    times = [9.0, 3.0, 5.0, 5.0, 1.0, 0.0, 8.0, 2.0, 4.0, 7.0]
    train, valid, test = split_clicks(samples(times, [], 10), "time", 0)
    assert (test.tolist(), valid.tolist()) == ([0], [6])
    assert train.tolist() == [1, 2, 3, 4, 5, 7, 8, 9]


def test_samples_at_one_time_count_as_earlier_where_they_come_first() -> None:
    parts = split_clicks(samples([1.0] * 3, [], 3), "time", 0)
    assert [part.tolist() for part in parts] == [[0], [1], [2]]


@pytest.mark.parametrize("split", ["random", "time"])
def test_samples_for_training_only_go_there_and_count_for_no_share(split: str) -> None:
    fixed = list(range(0, 40, 2))
    parts = split_clicks(samples([float(n) for n in range(40)], fixed, 40), split, seed=1)
    assert [len(part) for part in parts] == [36, 2, 2]
    assert set(fixed) <= set(parts.train.tolist())
    assert np.sort(np.concatenate(parts)).tolist() == list(range(40))
    if split == "time":
        assert (parts.valid.tolist(), parts.test.tolist()) == ([33, 35], [37, 39])


def test_samples_without_times_are_split_at_random_only() -> None:
    with pytest.raises(DataError, match="small has no timestamps: it can be split at random, not"):
        split_clicks(samples(None, [], 9), "time", 0)


def test_two_samples_beside_those_for_training_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"samples must be at least 3 .*: got 2"):
        split_clicks(samples(None, [0, 1, 2], 5), "random", 0)


def interactions(users: list[int], order: list[float] | None) -> InteractionData:
    """One new item in each interaction of these users."""
    number = len(users)
    return InteractionData(
        name="small",
        user_ids=list(range(max(users) + 1)),
        item_ids=list(range(number)),
        users=np.array(users),
        items=np.arange(number),
        order=None if order is None else np.array(order),
        facts=None,
        titles=None,
        categories=None,
        sha256="0",
    )


def test_the_last_interaction_of_each_user_is_test_and_the_last_but_one_validation() -> None:
    users = [0, 1, 0, 1, 0, 1, 1, 2, 2]
    order = [9.0, 1.0, 2.0, 4.0, 7.0, 3.0, 2.0, 1.0, 2.0]
    for seed in (0, 1):
        parts = leave_one_out(interactions(users, order), seed)
        assert [part.tolist() for part in parts] == [[1, 2, 6, 7, 8], [4, 5], [0, 3]]
        assert all(part.dtype == np.int64 for part in parts)


def test_interactions_at_one_time_follow_the_rows() -> None:
    parts = leave_one_out(interactions([0, 1, 0, 1, 0, 1], [1.0] * 6), 0)
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]


def test_without_an_order_the_seed_draws_all_places_alike() -> None:
    data = interactions([0, 1, 0, 1, 0, 1, 0, 1], None)
    drawn = [leave_one_out(data, seed) for seed in range(400)]
    for parts in drawn:
        assert sorted(data.users[parts.valid]) == sorted(data.users[parts.test]) == [0, 1]
    for part in ("valid", "test"):
        counts = np.bincount(np.concatenate([getattr(parts, part) for parts in drawn]), minlength=8)
        assert (np.abs(counts - 100) < 40).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.booleans(), seeds)
def test_every_interaction_is_in_one_split_and_short_users_train(
    users: list[int], timed: bool, seed: int
) -> None:
    long = sorted(user for user in set(users) if users.count(user) >= 3)
    data = interactions(users, [float(7 * n % 5) for n in range(len(users))] if timed else None)
    if not long:
        with pytest.raises(DataError, match="small: no user has 3 interactions, one each for"):
            leave_one_out(data, seed)
        return
    parts = leave_one_out(data, seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(users)))
    assert sorted(data.users[parts.valid].tolist()) == long
    assert sorted(data.users[parts.test].tolist()) == long
    assert all((np.diff(part) > 0).all() for part in parts)
    again = leave_one_out(data, seed)
    assert all((one == two).all() for one, two in zip(parts, again, strict=True))
    if data.order is not None:
        for user in long:
            own = data.order[data.users == user]
            tested = parts.test[data.users[parts.test] == user]
            assert data.order[tested].tolist() == [own.max()]
