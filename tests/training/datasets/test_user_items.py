"""Titles and true categories in a user's own file."""

from pathlib import Path

import polars as pl
import pytest

from cove.errors import DataError
from training.datasets import ListFilter, load_clicks, load_interactions, load_lists
from training.datasets.clicks import ClickFilter
from training.datasets.interactions import InteractionFilter
from training.datasets.writing import write_clicks, write_interactions, write_lists

EVERYTHING = ListFilter(min_count=1, min_length=1)
TITLES = {1: "Up", 2: "Heat, a film"}
CATEGORIES = {1: ["Animation", "Family"], 2: ["Crime"], 3: []}


def file(folder: Path, head: str, *rows: str) -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([f"{head},title,categories", *rows]) + "\n")
    return path


def test_titles_and_categories_of_lists_are_read_and_written_again(tmp_path: Path) -> None:
    path = file(
        tmp_path, "list_id,item_id",
        "a,1, Up ,Animation| Family|Animation", 'a,2,"Heat, a film",Crime', "b,1,Other,Other",
        "b,3,,|", "c,4,,",
    )  # fmt: skip
    data = load_lists(str(path), None, EVERYTHING)
    assert (data.titles, data.categories) == (TITLES, CATEGORIES)
    for ending in ("csv", "parquet"):
        write_lists(data, tmp_path / f"again.{ending}")
        again = load_lists(str(tmp_path / f"again.{ending}"), None, EVERYTHING)
        assert (again.lists, again.titles) == (data.lists, data.titles)
        assert {k: v for k, v in (again.categories or {}).items() if v} == {
            k: v for k, v in CATEGORIES.items() if v
        }


def test_clicks_and_interactions_have_them_too(tmp_path: Path) -> None:
    rows = ["5,1,{},Up,Animation|Family", '5,2,{},"Heat, a film",Crime', "6,2,{},,", "6,1,{},,"]
    path = file(tmp_path, "user_id,item_id,label", *(r.format(n % 2) for n, r in enumerate(rows)))
    filter = ClickFilter(min_positives=0, min_negatives=0)
    clicks = load_clicks(str(path), None, filter)
    wanted = (TITLES, {1: CATEGORIES[1], 2: CATEGORIES[2]})
    assert (clicks.titles, clicks.categories) == wanted
    write_clicks(clicks, tmp_path / "clicks.csv")
    again = load_clicks(str(tmp_path / "clicks.csv"), None, filter)
    assert (again.titles, again.categories) == wanted
    path = file(tmp_path, "user_id,item_id,timestamp", *(r.format(7) for r in rows))
    chosen = load_interactions(str(path), None, InteractionFilter(core=0))
    assert (chosen.titles, chosen.categories) == wanted
    write_interactions(chosen, tmp_path / "chosen.csv")
    reread = load_interactions(str(tmp_path / "chosen.csv"), None, InteractionFilter(core=0))
    assert (reread.titles, reread.categories) == wanted


def test_parquet_may_hold_lists_of_categories_and_numbers_for_titles(tmp_path: Path) -> None:
    table = pl.DataFrame({"list_id": [1, 1], "item_id": ["x", "y"], "title": [1984, None],
                          "categories": [["A", "B"], None]})  # fmt: skip
    table.write_parquet(tmp_path / "mine.parquet")
    data = load_lists(str(tmp_path / "mine.parquet"), None, EVERYTHING)
    assert (data.titles, data.categories) == ({"x": "1984"}, {"x": ["A", "B"]})
    table.with_columns(title=pl.col("categories")).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(DataError, match="title must hold text, got list"):
        load_lists(str(tmp_path / "odd.parquet"), None, EVERYTHING)


def test_a_file_without_such_columns_has_neither(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("list_id,item_id\n1,2\n")
    data = load_lists(str(tmp_path / "mine.csv"), None, EVERYTHING)
    assert (data.titles, data.categories) == (None, None)
