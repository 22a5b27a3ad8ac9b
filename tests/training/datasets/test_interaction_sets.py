"""The named sets of interactions, on small files of each format and on the real ones."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cove.errors import DataError
from tests.training.datasets.test_interactions import ALL, facts, pairs
from tests.training.datasets.test_named_sets import write_classic, write_recbole
from training.datasets import InteractionFilter, load_interactions
from training.datasets.splitting import leave_one_out
from training.datasets.stats import interaction_stats

TOYS = "Toys_and_Games.txt"
ATTRIBUTES = "Toys_and_Games_item2attributes.json"
GRAPH = (
    "head_id:token\trelation_id:token\ttail_id:token\nm.b\tfilm.sequel\tm.a\nm.a\tfilm.actor\tm.x\n"
    "m.c\tfilm.actor\tm.x\nm.x\tactor.film\tm.a\n"
)
LINKS = "item_id:token\tentity_id:token\n1\tm.a\n3\tm.b\n2\tm.c\n"
REVIEWS = (
    '{"reviewerID": "U1", "asin": "0001", "overall": 5.0, "unixReviewTime": 12, "helpful": [0]}\n'
    '{"asin": "B1", "reviewerID": "U1", "unixReviewTime": 11, "overall": 2}\n'
)


def test_toys_reads_lines_in_time_order_and_attributes_as_facts(tmp_path: Path) -> None:
    """All items have 2, and 1 is the brand that is not named; item 9 has no interaction."""
    (tmp_path / TOYS).write_text("7 11 12 13\n\n8 12 11\n")
    held = '{"11": [1, 2, 4, 4], "12": [3, 2, 5], "13": [3, 2], "9": [6, 2, 4]}'
    (tmp_path / f"{ATTRIBUTES}.gz").write_bytes(gzip.compress(held.encode()))
    data = load_interactions("toys", tmp_path, ALL)
    assert pairs(data) == [(7, 11), (7, 12), (7, 13), (8, 12), (8, 11)]
    assert data.order is not None
    assert data.order.tolist() == [0, 1, 2, 0, 1]
    assert facts(data) == [
        (11, "has_category", 4), (12, "has_brand", 3), (12, "has_category", 5),
        (13, "has_brand", 3),
    ]  # fmt: skip
    assert data.categories == {11: ["4"], 12: ["5"]}
    assert (data.source_users, data.source_items) == (2, 4)


def test_toys_without_attributes_has_no_facts(tmp_path: Path) -> None:
    (tmp_path / TOYS).write_text("u a\nv a b\n")
    data = load_interactions("toys", tmp_path, ALL)
    assert pairs(data) == [("u", "a"), ("v", "a"), ("v", "b")]
    assert (data.facts, data.categories) == (None, None)


def test_kindle_10core_joins_its_three_files_and_has_no_order(tmp_path: Path) -> None:
    for part, line in (("train", "3 1 2"), ("valid", "1 2"), ("test", "2 1")):
        (tmp_path / f"{part}.txt").write_text(f"{line}\n")
    data = load_interactions("kindle_10core", tmp_path, ALL)
    assert pairs(data) == [(3, 1), (3, 2), (1, 2), (2, 1)]
    assert (data.order, data.facts) == (None, None)


def test_grocery_has_times_and_relations_between_items(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("user_id\titem_id\ttime\n5\t1\t30\n5\t2\t20\n")
    meta = "item_id\ti_category\tr_complement\tr_substitute\n1\t0\t[2, 3]\t[]\n2\t4\t[]\t[1]\n"
    (tmp_path / "item_meta.csv").write_text(meta + "3\t4\t[1]\t[]\n")
    data = load_interactions("grocery_kg", tmp_path, ALL)
    assert pairs(data) == [(5, 1), (5, 2)]
    assert data.order is not None
    assert data.order.tolist() == [30, 20]
    assert facts(data) == [
        (1, "complements", 2), (2, "substitutes", 1), (1, "has_category", 0), (2, "has_category", 4)
    ]  # fmt: skip
    assert data.categories == {1: ["0"], 2: ["4"]}
    assert data.source_items == 3


@pytest.mark.parametrize("write_files", [write_classic, write_recbole])
def test_ml100k_is_what_was_liked_with_a_graph_where_there_is_one(
    tmp_path: Path, write_files: Callable[[Path], None]
) -> None:
    write_files(tmp_path)
    liked = InteractionFilter(core=0, positive_from=4)
    data = load_interactions("ml100k", tmp_path, liked)
    assert pairs(data) == [(2, 1), (1, 3), (1, 1), (1, 4)]
    assert data.order is not None
    assert data.order.tolist() == [30, 20, 20, 10]
    assert data.facts is None
    assert data.titles is not None
    assert data.titles[4] == "unknown"
    before = data.sha256
    (tmp_path / "ml-100k.kg").write_text(GRAPH)
    (tmp_path / "ml-100k.link").write_text(LINKS)
    data = load_interactions("ml100k", tmp_path, liked)
    assert data.sha256 != before
    assert facts(data) == [
        (3, "film.sequel", 1), (1, "film.actor", "m.x"), ("m.x", "actor.film", 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("amazon", "reviews_Toys_and_Games_5.json.gz"),
        ("amazon", "ratings_Beauty.csv"),
        ("kindle", "reviews_Kindle_Store_5.json"),
        ("kindle", "ratings_Kindle_Store.csv"),
    ],
)
def test_amazon_reads_reviews_and_ratings(tmp_path: Path, name: str, file: str) -> None:
    text = REVIEWS if "json" in file else "U1,0001,5.0,12\nU1,B1,2.0,11\n"
    content = text.encode()
    (tmp_path / file).write_bytes(gzip.compress(content) if file.endswith("gz") else content)
    data = load_interactions(name, tmp_path, ALL)
    assert pairs(data) == [("U1", "0001"), ("U1", "B1")]
    assert data.order is not None
    assert data.order.tolist() == [12, 11]
    rated = load_interactions(name, tmp_path, InteractionFilter(core=1, positive_from=3))
    assert pairs(rated) == [("U1", "0001")]


def test_two_categories_in_one_folder_are_refused(tmp_path: Path) -> None:
    for category in ("Beauty", "Books"):
        (tmp_path / f"ratings_{category}.csv").write_text("U1,0001,5.0,12\n")
    with pytest.raises(DataError, match=r"needs one file ratings_.*has 2: ratings_Beauty.csv, rat"):
        load_interactions("amazon", tmp_path)


BROKEN = [
    ("toys", {TOYS: "1 2 3\n4\n"}, "line 2 has a user and no item"),
    ("toys", {TOYS: " \n\n"}, "Toys_and_Games.txt has no row"),
    ("toys", {TOYS: "1 2\n", ATTRIBUTES: "{"}, "is not a JSON object from items to lists"),
    ("toys", {TOYS: "1 2\n", ATTRIBUTES: '{"2": ["x"]}'}, "is not a JSON object from items"),
    ("kindle_10core", {"train.txt": "1 2\n"}, "needs valid.txt or valid.txt.gz"),
    ("grocery_kg", {"train.csv": "user_id\titem_id\n1\t2\n"}, "lacks the column time"),
    ("grocery_kg", {"train.csv": "user_id\titem_id\ttime\nx\t2\t3\n"}, "an integer, got 'x' in"),
    ("grocery_kg", {"train.csv": "user_id\titem_id\ttime\n1\t2\t3\n", "item_meta.csv":
     "item_id\ti_category\tr_complement\tr_substitute\n1\t0\t[2\t[]\n"},
     r"r_complement must be a list as in \[1, 2\], got '\[2' in row 1"),
    ("amazon", {"ratings_X.csv": "user,item,rating,timestamp\n"}, "rating must be a number, got"),
    ("amazon", {"ratings_X.csv": "U1,0001\n"}, "is not a table separated by commas"),
    ("amazon", {"reviews_X_5.json": "{\n"}, "is not one JSON object a line"),
    ("amazon", {"reviews_X_5.json": '{"asin": "1"}\n'}, "row 1 has no user_id"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "files", "message"), BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, files: dict[str, str], message: str
) -> None:
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load_interactions(name, tmp_path)
    assert "\n" not in str(caught.value)


REAL = {
    "toys": (19_412, 11_924, 167_597, 36_577, 2, 1_025),
    "kindle_10core": (14_356, 15_885, 367_478, None, None, None),
    "grocery_kg": (14_681, 8_687, 121_892, 379_954, 3, 56),
    "ml100k": (938, 1_008, 54_413, 54_262, 24, 21_815),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sets_have_these_counts_and_give_each_user_a_test(
    data_folder: Callable[[str], Path], name: str
) -> None:
    data = load_interactions(name, data_folder(name))
    counts = interaction_stats(data)
    names = ("users", "items", "interactions", "facts", "relations", "entities")
    assert tuple(counts[one] for one in names) == REAL[name]
    parts = leave_one_out(data, 0)
    assert len(parts.valid) == len(parts.test) == counts["users"]
    if data.facts is not None:
        ends = np.concatenate((data.facts.heads, data.facts.tails))
        num_entities = len(data.item_ids) + len(data.facts.other_ids)
        assert ends.min() >= 0
        assert ends.max() == num_entities - 1


def test_real_toys_are_one_user_and_one_item_short_of_table_1(
    data_folder: Callable[[str], Path],
) -> None:
    """Table 1 has 19,413 and 11,925; its 623,032 interactions cannot come from this 5-core."""
    counts = interaction_stats(load_interactions("toys", data_folder("toys")))
    assert (counts["users"], counts["items"]) == (19_413 - 1, 11_925 - 1)
    assert (counts["source_users"], counts["source_items"]) == (19_412, 11_924)
