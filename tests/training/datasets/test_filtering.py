"""The fixpoint filter: by hand, on random lists, and on the published counts of AotM."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import SettingsError
from training.datasets import ListFilter, load_lists
from training.datasets.filtering import filter_lists
from training.datasets.stats import list_stats

ids = st.one_of(st.integers(0, 8), st.sampled_from("abcd"))
lists_of_ids = st.lists(st.lists(ids, max_size=12), max_size=25)
filters = st.builds(
    lambda count, shortest, extra, too_long: ListFilter(
        min_count=count, min_length=shortest, max_length=shortest + extra, too_long=too_long
    ),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(0, 6),
    st.sampled_from(["truncate", "drop"]),
)


def by_the_book(lists: list[list[int | str]], rule: ListFilter) -> list[list[int | str]]:
    """The rule of facts.md, word for word and slowly."""
    while True:
        counts = Counter(item for row in lists for item in row)
        kept = [[item for item in row if counts[item] >= rule.min_count] for row in lists]
        kept = [row for row in kept if len(row) >= rule.min_length]
        if rule.too_long == "drop":
            kept = [row for row in kept if len(row) <= rule.max_length]
        kept = [row[: rule.max_length] for row in kept]
        if kept == lists:
            return kept
        lists = kept


def test_dropping_a_list_makes_an_item_rare_which_drops_another_list() -> None:
    lists = [[1, 2, 3], [1, 2, 3], [3, 4], [4, 9]]
    kept, positions = filter_lists(lists, ListFilter(min_count=2, min_length=2, max_length=5))
    assert kept == [[1, 2, 3], [1, 2, 3]]
    assert positions == [0, 1]


def test_a_repeat_inside_a_list_counts_and_stays() -> None:
    kept, _ = filter_lists([[7, 7, 8]], ListFilter(min_count=2, min_length=2, max_length=5))
    assert kept == [[7, 7]]


def test_both_bounds_are_inclusive() -> None:
    lists = [[1], [1, 1], [1, 1, 1], [1, 1, 1, 1]]
    rule = ListFilter(min_count=1, min_length=2, max_length=3, too_long="drop")
    kept, positions = filter_lists(lists, rule)
    assert [len(row) for row in kept] == [2, 3]
    assert positions == [1, 2]


def test_a_too_long_list_keeps_its_first_items_or_is_dropped() -> None:
    lists = [["a", "b", "c", "d"], ["a", "b"]]
    bounds = {"min_count": 1, "min_length": 1, "max_length": 2}
    assert filter_lists(lists, ListFilter(**bounds)) == ([["a", "b"], ["a", "b"]], [0, 1])
    assert filter_lists(lists, ListFilter(**bounds, too_long="drop")) == ([["a", "b"]], [1])


def test_no_list_gives_no_list() -> None:
    assert filter_lists([], ListFilter()) == ([], [])
    assert filter_lists([[], []], ListFilter(min_length=1)) == ([], [])


@given(lists_of_ids, filters)
def test_the_filter_agrees_with_the_rule_word_for_word(
    lists: list[list[int | str]], rule: ListFilter
) -> None:
    kept, positions = filter_lists(lists, rule)
    assert kept == by_the_book(lists, rule)
    assert positions == sorted(set(positions))
    assert len(positions) == len(kept)


@given(lists_of_ids, filters)
def test_a_filtered_list_passes_again_unchanged(
    lists: list[list[int | str]], rule: ListFilter
) -> None:
    kept, _ = filter_lists(lists, rule)
    assert filter_lists(kept, rule) == (kept, list(range(len(kept))))


@given(lists_of_ids, filters)
def test_kept_items_come_in_the_order_of_their_list(
    lists: list[list[int | str]], rule: ListFilter
) -> None:
    for row, position in zip(*filter_lists(lists, rule), strict=True):
        rest = iter(lists[position])
        assert all(item in rest for item in row)


def test_a_filter_with_crossed_bounds_is_refused() -> None:
    with pytest.raises(SettingsError, match="min_length must not exceed max_length: got min_le"):
        ListFilter().with_changes(min_length=20, max_length=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_count": 0}, "min_count: .* greater than or equal to 1, got 0"),
        ({"too_long": "cut"}, "too_long: .*'truncate' or 'drop', got 'cut'"),
        ({"lenght": 3}, "lenght: .*not permitted, got 3"),
    ],
)
def test_a_wrong_filter_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ListFilter().with_changes(**changes)


@pytest.mark.parametrize("too_long", ["truncate", "drop"])
def test_aotm_gives_the_counts_that_the_fans_authors_publish(
    data_folder: Callable[[str], Path], too_long: str
) -> None:
    rule = ListFilter(min_count=10, min_length=10, max_length=60, too_long=too_long)
    counts = list_stats(load_lists("aotm", data_folder("aotm"), rule))
    assert (counts["lists"], counts["interactions"], counts["items"]) == (12_940, 162_106, 6_264)
    assert (counts["shortest"], counts["longest"]) == (10, 59)
    assert counts["density"] == pytest.approx(0.0020, abs=5e-6)
