"""Interactions of a user's files: filter, first pairs, forms, what is refused; numbered facts."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import DataError, SettingsError
from training.datasets import (
    InteractionData,
    InteractionFilter,
    default_interaction_filter,
    kind_of,
    load_interactions,
)
from training.datasets.interactions import Facts, RawInteractions, build_interactions
from training.datasets.writing import write_interactions

ALL = InteractionFilter(core=0)
SMALL = "user_id,item_id,timestamp\nu,a,30\nv,b,10\nu,b,20.5\n"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def pairs(data: InteractionData) -> list[tuple[object, object]]:
    """The interactions under their external ids."""
    return [
        (data.user_ids[user], data.item_ids[item])
        for user, item in zip(data.users, data.items, strict=True)
    ]


def facts(data: InteractionData) -> list[tuple[object, str, object]]:
    """The facts under their external ids."""
    assert isinstance(data.facts, Facts)
    names = [*data.item_ids, *data.facts.other_ids]
    arrays = (data.facts.heads, data.facts.relations, data.facts.tails)
    assert all(array.dtype == np.int64 for array in arrays)
    return [
        (names[head], data.facts.relation_names[relation], names[tail])
        for head, relation, tail in zip(*arrays, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.csv", SMALL),
        ("mine.tsv", SMALL.replace(",", "\t")),
        ("mine.inter", SMALL.replace(",", "\t").replace("timestamp", "timestamp:float")),
        ("mine.csv", SMALL.replace("user_id", "why,user_id").replace("\n", "\nx,", 3)),
    ],
)
def test_text_forms_give_the_same_interactions(tmp_path: Path, name: str, text: str) -> None:
    data = load_interactions(write(tmp_path / name, text), None, ALL)
    assert pairs(data) == [("u", "a"), ("v", "b"), ("u", "b")]
    assert data.order is not None
    assert data.order.tolist() == [30, 10, 20.5]
    assert (data.users.dtype, data.items.dtype, data.order.dtype) == (np.int64, np.int64, float)
    assert (data.name, data.facts, data.titles, data.categories) == ("mine", None, None, None)


def test_parquet_may_hold_dates_and_integers(tmp_path: Path) -> None:
    times = [datetime(1970, 1, 1, 0, 0, second, tzinfo=UTC) for second in (5, 4)]
    columns = {"user_id": [7, 7], "item_id": ["2", "03"], "timestamp": times}
    pl.DataFrame(columns).write_parquet(tmp_path / "mine.parquet")
    data = load_interactions("mine.parquet", tmp_path, ALL)
    assert pairs(data) == [(7, "2"), (7, "03")]
    assert data.order is not None
    assert data.order.tolist() == [5, 4]


def test_of_a_pair_that_comes_twice_the_first_by_time_stays(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp\n1,2,9\n1,3,5\n1,2,4\n1,2,4\n"
    data = load_interactions(write(tmp_path / "mine.csv", text), None, ALL)
    assert pairs(data) == [(1, 3), (1, 2)]
    assert data.order is not None
    assert data.order.tolist() == [5, 4]
    text = "user_id,item_id\n1,2\n1,3\n1,2\n"
    data = load_interactions(write(tmp_path / "mine.csv", text), None, ALL)
    assert (pairs(data), data.order) == ([(1, 2), (1, 3)], None)


def test_only_ratings_from_the_bound_on_count_and_only_where_it_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "user_id,item_id,rating\n1,2,3\n1,3,4\n2,2,5\n2,2,1\n")
    assert pairs(load_interactions(path, None, ALL)) == [(1, 2), (1, 3), (2, 2)]
    liked = InteractionFilter(core=1, positive_from=4)
    data = load_interactions(path, None, liked)
    assert pairs(data) == [(1, 3), (2, 2)]
    assert (data.source_users, data.source_items) == (2, 2)


def test_the_core_is_a_fixpoint(tmp_path: Path) -> None:
    """User 3 goes at first, then item c has one interaction left, then user 2 too."""
    text = "user_id,item_id\n1,a\n1,b\n4,a\n4,b\n2,a\n2,c\n3,c\n"
    path = write(tmp_path / "mine.csv", text)
    data = load_interactions(path, None, InteractionFilter(core=2))
    assert pairs(data) == [(1, "a"), (1, "b"), (4, "a"), (4, "b")]
    assert len(load_interactions(path, None, ALL).users) == 7


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=50),
    st.integers(0, 4),
)
def test_the_filter_agrees_with_the_rule_word_for_word(
    rows: list[tuple[int, int]], core: int
) -> None:
    kept = list(dict.fromkeys(rows))
    while True:
        left = [
            (user, item)
            for user, item in kept
            if sum(one == user for one, _ in kept) >= core
            and sum(one == item for _, one in kept) >= core
        ]
        if left == kept:
            break
        kept = left
    schema = {"user_id": pl.Int64, "item_id": pl.Int64}
    raw = RawInteractions("x", pl.DataFrame(rows, schema=schema, orient="row"), None, None, "0")
    if not kept:
        with pytest.raises(DataError, match=r"x: none of \d+ rows is left after .*core="):
            build_interactions(raw, InteractionFilter(core=core))
    else:
        data = build_interactions(raw, InteractionFilter(core=core))
        assert pairs(data) == kept
        assert len(set(data.user_ids)) == len(data.user_ids) == data.users.max() + 1
        assert len(set(data.item_ids)) == len(data.item_ids) == data.items.max() + 1


GRAPH = [
    ("a", None, "has", None, "a"),
    ("a", None, "near", "b", None),
    (None, "x", "of", "b", None),
    ("a", None, "near", "c", None),
    ("c", None, "has", None, "y"),
    ("a", None, "near", "b", None),
    ("b", None, "has", None, "x"),
]
FACT_COLUMNS = ("head_item", "head_other", "relation", "tail_item", "tail_other")


def with_graph(rows: list[tuple[object, ...]]) -> RawInteractions:
    table = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    graph = pl.DataFrame(rows, schema=dict.fromkeys(FACT_COLUMNS, pl.String), orient="row")
    return RawInteractions("x", table, {"a": "A", "d": "D"}, {"c": ["z"]}, "0", graph)


def test_facts_follow_their_items_and_an_entity_may_have_the_name_of_an_item() -> None:
    data = build_interactions(with_graph(GRAPH), InteractionFilter(core=2))
    assert facts(data) == [("a", "has", "a"), ("a", "near", "b"), ("x", "of", "b"),
                           ("b", "has", "x")]  # fmt: skip
    assert data.facts is not None
    assert data.facts.other_ids == ["x", "a"]
    assert data.facts.tails.tolist() == [3, 1, 1, 2]
    assert (data.titles, data.categories, data.source_items) == ({"a": "A"}, {}, 4)
    assert len(facts(build_interactions(with_graph(GRAPH), ALL))) == 6


def test_no_fact_left_is_no_graph() -> None:
    raw = with_graph([("c", None, "has", None, "y")])
    assert build_interactions(raw, InteractionFilter(core=2)).facts is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,rating\n1,2\n", "lacks the column item_id: it has user_id, rating"),
        ("list_id,item_id\n1,2\n", "so it holds lists"),
        ("user_id,item_id,label\n1,2,1\n", "has the column label, so it holds clicks"),
        ("user_id,item_id\n1,\n", "row 1 has no item_id"),
        ("user_id,item_id,rating\n1,2,good\n", "rating must be a number, got 'good' in row 1"),
        ("user_id,item_id,timestamp\n1,2,3\n1,3,\n", "row 2 has no timestamp"),
        ("user_id,item_id\n1,2\n", "mine: none of 1 rows is left after positive_from=None, core=5"),
    ],
)
def test_bad_interactions_are_refused_in_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_interactions(write(tmp_path / "mine.csv", text))
    assert "mine" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bound_on_ratings_is_refused_where_there_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", SMALL)
    with pytest.raises(SettingsError, match=r"mine has no ratings: positive_from is .*, got 4"):
        load_interactions(path, None, InteractionFilter(positive_from=4))
    with pytest.raises(SettingsError, match=r"core: .*, got -1"):
        ALL.with_changes(core=-1)


def test_a_file_of_users_and_items_alone_holds_interactions(tmp_path: Path) -> None:
    assert kind_of(write(tmp_path / "a.csv", SMALL)) == "interactions"
    assert kind_of(write(tmp_path / "a.csv", "user_id,item_id,rating\n1,2,3\n")) == "clicks"
    assert (kind_of("toys"), kind_of("ml100k")) == ("interactions", "clicks")


def test_the_core_is_5_but_where_another_was_published_and_only_ml100k_bounds_ratings() -> None:
    names = ("toys", "kindle_10core", "grocery_kg", "kindle", "amazon", "ml100k", "mine.csv")
    rules = [default_interaction_filter(name) for name in names]
    assert [rule.core for rule in rules] == [5, 10, 0, 5, 5, 5, 5]
    assert [rule.positive_from for rule in rules] == [None] * 5 + [4, None]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_written_interactions_are_read_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    text = 'user_id,item_id,timestamp\nb c,1,2.5\n"d,e",1,-1\n'
    data = load_interactions(write(tmp_path / "mine.csv", text), None, ALL)
    write_interactions(data, tmp_path / f"out{suffix}")
    again = load_interactions(f"out{suffix}", tmp_path, ALL)
    assert pairs(again) == pairs(data) == [("b c", 1), ("d,e", 1)]
    assert again.order is not None
    assert again.order.tolist() == [2.5, -1]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@given(content=st.binary(min_size=1, max_size=200))
def test_no_bytes_end_in_anything_but_interactions_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_interactions(str(path))


def test_interactions_of_unequal_length_are_refused() -> None:
    one, two = np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    with pytest.raises(DataError, match=r"x: every interaction needs one of each: got .*items': 2"):
        InteractionData("x", [1], [2], one, two, None, None, None, None, "0")
