"""The 8 : 1 : 1 split and the halving of lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import DataError
from training.datasets.splitting import halve, split_lists

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
