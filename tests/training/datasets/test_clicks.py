"""Clicks of named sets and of a user's files: labels, filter, forms, and what is refused."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import DataError, SettingsError
from tests.training.datasets.test_named_sets import write_classic, write_recbole
from training.datasets import ClickData, ClickFilter, default_click_filter, kind_of, load_clicks
from training.datasets.clicks import RawClicks, build_clicks
from training.datasets.stats import click_stats
from training.datasets.writing import write_clicks

EVERYONE = ClickFilter()
SMALL = "user_id,item_id,label,timestamp\nu,a,1,30\nv,b,0,10\nu,b,0,20.5\n"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def triples(data: ClickData) -> list[tuple[object, object, int]]:
    """The samples under their external ids."""
    return [
        (data.user_ids[user], data.item_ids[item], int(label))
        for user, item, label in zip(data.users, data.items, data.labels, strict=True)
    ]


@pytest.mark.parametrize("write_files", [write_classic, write_recbole])
def test_ml100k_reads_ratings_as_clicks_from_both_sources(
    tmp_path: Path, write_files: Callable[[Path], None]
) -> None:
    write_files(tmp_path / "ml100k")
    stars = ClickFilter(positive_from=5, negative_to=3)
    data = load_clicks("ml100k", tmp_path, stars)
    assert triples(data) == [(2, 1, 1), (1, 1, 1), (1, 2, 0)]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [30, 20, 10]
    assert data.training_only is None
    assert data.titles == {1: "Toy Story (1995)", 2: "Dull (1996)"}
    assert data.categories == {1: ["Animation", "Comedy"], 2: ["Drama"]}
    assert (data.source_users, data.source_items) == (2, 4)


def test_real_ml100k_gives_the_interactions_and_samples_of_table_1(
    data_folder: Callable[[str], Path],
) -> None:
    counts = click_stats(load_clicks("ml100k", data_folder("ml100k")))
    assert (counts["interactions"], counts["samples"]) == (52_480, 69_881)
    assert (counts["users"], counts["items"]) == (849, 1_641)
    assert (counts["source_users"], counts["source_items"]) == (943, 1_682)


def test_the_filter_keeps_users_with_enough_of_both_and_drops_what_is_between(
    tmp_path: Path,
) -> None:
    text = "user_id,item_id,rating\n1,a,4\n1,b,2\n1,c,3\n2,a,5\n2,b,4.5\n3,a,1\n3,a,3.5\n"
    path = write(tmp_path / "mine.csv", text)
    rule = ClickFilter(min_positives=1, min_negatives=1)
    assert triples(load_clicks(path, None, rule)) == [(1, "a", 1), (1, "b", 0)]
    assert len(load_clicks(path).labels) == 5
    half = ClickFilter(positive_from=3.5, negative_to=3)
    assert load_clicks(path, None, half).labels.tolist() == [1, 0, 0, 1, 1, 0, 1]


ratings = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=40
)


@given(ratings, st.integers(0, 3), st.integers(0, 3))
def test_the_filter_agrees_with_the_rule_word_for_word(
    rows: list[tuple[int, int, int]], positives: int, negatives: int
) -> None:
    labelled = [(user, item, int(stars >= 4)) for user, item, stars in rows if stars != 3]
    kept = [
        (user, item, label)
        for user, item, label in labelled
        if sum(one == user and y for one, _, y in labelled) >= positives
        and sum(one == user and not y for one, _, y in labelled) >= negatives
    ]
    schema = {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Float64}
    raw = RawClicks("x", pl.DataFrame(rows, schema=schema, orient="row"), None, None, "0")
    rule = ClickFilter(min_positives=positives, min_negatives=negatives)
    if len({label for _, _, label in kept}) < 2:
        with pytest.raises(DataError, match=r"left after positive_from=4.0"):
            build_clicks(raw, rule)
    else:
        data = build_clicks(raw, rule)
        assert triples(data) == kept
        assert len(set(data.user_ids)) == len(data.user_ids) == data.users.max() + 1
        assert len(set(data.item_ids)) == len(data.item_ids) == data.items.max() + 1


def test_arrays_have_the_promised_types(tmp_path: Path) -> None:
    data = load_clicks(write(tmp_path / "mine.csv", SMALL))
    assert (data.users.dtype, data.items.dtype) == (np.int64, np.int64)
    assert data.labels.dtype == np.uint8
    assert data.timestamps is not None
    assert data.timestamps.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.csv", SMALL),
        ("mine.tsv", SMALL.replace(",", "\t")),
        ("mine.inter", SMALL.replace(",", "\t").replace("label", "label:float")),
        ("mine.csv", SMALL.replace(",1,", ",True,").replace(",0,", ",False,")),
        ("mine.csv", SMALL.replace(",1,", ",1.0,").replace("label", "rating,label").replace(
            "u,a", "u,a,1").replace("v,b", "v,b,5").replace("u,b", "u,b,9")),
    ],
)  # fmt: skip
def test_text_forms_give_the_same_clicks(tmp_path: Path, name: str, text: str) -> None:
    data = load_clicks(write(tmp_path / name, text))
    assert triples(data) == [("u", "a", 1), ("v", "b", 0), ("u", "b", 0)]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [30, 10, 20.5]
    assert (data.name, data.titles, data.categories) == ("mine", None, None)


def test_parquet_may_hold_booleans_and_dates(tmp_path: Path) -> None:
    times = [datetime(1970, 1, 1, 0, 0, second, tzinfo=UTC) for second in (5, 4)]
    columns = {"user_id": [7, 7], "item_id": ["2", "03"], "label": [True, False]}
    pl.DataFrame(columns | {"timestamp": times}).write_parquet(tmp_path / "mine.parquet")
    data = load_clicks("mine.parquet", tmp_path)
    assert triples(data) == [(7, "2", 1), (7, "03", 0)]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [5, 4]


def test_a_pair_that_comes_twice_is_two_samples(tmp_path: Path) -> None:
    text = "user_id,item_id,label\n1,2,1\n1,2,1\n1,2,0\n"
    data = load_clicks(write(tmp_path / "mine.csv", text))
    assert triples(data) == [(1, 2, 1), (1, 2, 1), (1, 2, 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,item_id\n1,2\n", "lacks the column label or rating: it has user_id, item_id"),
        ("list_id,item_id,label\n1,2,1\n", "lacks the column user_id"),
        ("user_id,item_id,label\n1,2,2\n", "label must be 0 or 1, got '2' in row 1"),
        ("user_id,item_id,label\n1,2,1\n1,3,yes\n", "label must be a number, got 'yes' in row 2"),
        ("user_id,item_id,label\n1,2,\n", "row 1 has no label"),
        ("user_id,item_id,label\n,2,1\n", "row 1 has no user_id"),
        ("user_id,item_id,rating\n1,2,inf\n", "rating must be a number, got 'inf' in row 1"),
        (
            "user_id,item_id,label,timestamp\n1,2,1,noon\n",
            "timestamp must be a number of seconds, .* got 'noon'",
        ),
        ("user_id,item_id,label,timestamp\n1,2,1,\n", "row 1 has no timestamp"),
        ("user_id,item_id,label,training_only\n1,2,1,3\n", "training_only must be 0 or 1"),
        ("user_id,item_id,label\n1,2,1\n1,3,1\n", "all of 2 are positive"),
        ("user_id,item_id,rating\n1,2,1\n", "all of 1 left after .* are negative"),
        ("user_id,item_id,rating\n1,2,3\n", "mine: none of 1 samples is left after positive_from"),
    ],
)
def test_bad_clicks_are_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_clicks(write(tmp_path / "mine.csv", text))
    assert "mine" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_kind_of_a_file_is_seen_from_its_columns(tmp_path: Path) -> None:
    assert kind_of(write(tmp_path / "a.csv", SMALL)) == "clicks"
    assert kind_of(write(tmp_path / "a.csv", "list_id,item_id\n1,2\n")) == "lists"
    assert (kind_of("ml100k"), kind_of("aotm"), kind_of("mind")) == ("clicks", "lists", "clicks")
    with pytest.raises(
        DataError,
        match=r"has neither list_id, .* a label or rating. in its first row.*: it has user",
    ):
        kind_of(write(tmp_path / "a.csv", "user_id,film\n1,2\n"))


def test_the_rule_of_ml100k_asks_for_two_of_both_and_a_file_for_none() -> None:
    assert default_click_filter("ml100k") == ClickFilter(min_positives=2, min_negatives=2)
    assert default_click_filter("mind") == default_click_filter("mine.csv") == EVERYONE


def test_a_bound_on_ratings_is_refused_where_there_are_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", SMALL)
    with pytest.raises(SettingsError, match="mine has labels: positive_from and negative_to are"):
        load_clicks(path, None, ClickFilter(positive_from=3))


def test_a_rating_cannot_be_positive_and_negative() -> None:
    with pytest.raises(SettingsError, match="negative_to must be below positive_from: got neg"):
        EVERYONE.with_changes(negative_to=4.0)
    with pytest.raises(SettingsError, match=r"min_positives: .*, got -1"):
        EVERYONE.with_changes(min_positives=-1)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_written_clicks_are_read_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    text = 'user_id,item_id,label,timestamp,training_only\nb c,1,1,2.5,0\n"d,e",1,0,-1,1\n'
    data = load_clicks(write(tmp_path / "mine.csv", text))
    write_clicks(data, tmp_path / f"out{suffix}")
    again = load_clicks(f"out{suffix}", tmp_path)
    assert triples(again) == triples(data)
    assert data.timestamps is not None
    assert again.timestamps is not None
    assert again.timestamps.tolist() == data.timestamps.tolist() == [2.5, -1]
    assert data.training_only is not None
    assert again.training_only is not None
    assert again.training_only.tolist() == data.training_only.tolist() == [False, True]


def test_an_odd_ending_of_the_output_is_refused(tmp_path: Path) -> None:
    data = load_clicks(write(tmp_path / "mine.csv", SMALL))
    with pytest.raises(DataError, match=r"must end in .csv, .tsv, .parquet: got"):
        write_clicks(data, tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz"])
@given(content=st.binary(min_size=1, max_size=200))
def test_no_bytes_end_in_anything_but_clicks_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_clicks(str(path))
    with pytest.raises(DataError):
        kind_of(str(path))


def test_samples_of_unequal_length_are_refused(tmp_path: Path) -> None:
    one, two = np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    with pytest.raises(DataError, match=r"x: every sample needs one of each: got .*'items': 2"):
        ClickData("x", [1], [2], one, two, one.astype(np.uint8), None, None, None, None, "0")


def test_a_compressed_file_gives_the_same_clicks(tmp_path: Path) -> None:
    (tmp_path / "mine.csv.gz").write_bytes(gzip.compress(SMALL.encode()))
    assert len(load_clicks("mine.csv.gz", tmp_path).labels) == 3
