"""A user's own lists: forms, ids as given, order, and what is refused."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import DataError
from training.datasets import ListFilter, load_lists
from training.datasets.writing import write_lists

EVERYTHING = ListFilter(min_count=1, min_length=1, max_length=1000)


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.csv", "list_id,item_id\na,1\na,2\nb,1\n"),
        ("mine.csv", "\ufefflist_id,item_id\r\na,1\r\na,2\r\nb,1\r\n"),
        ("mine.csv", "list_id,item_id\ra,1\ra,2\rb,1\r"),
        ("mine.csv", "List_ID,Item_ID,POSITION\na,2,2\na,1,1\nb,1,1\n"),
        ("mine.csv", 'item_id,note,list_id\n1,"x,y",a\n2,,a\n1,z,b\n'),
        ("mine.tsv", "list_id\titem_id\na\t1\na\t2\nb\t1\n"),
        ("mine.INTER", "list_id:token\titem_id:token\na\t1\na\t2\nb\t1\n"),
    ],
)
def test_text_forms_give_the_same_lists(tmp_path: Path, name: str, text: str) -> None:
    data = load_lists(write(tmp_path / name, text), None, EVERYTHING)
    assert data.lists == [[1, 2], [1]]
    assert data.list_ids == ["a", "b"]
    assert data.name == "mine"


def test_a_compressed_csv_and_parquet_are_read(tmp_path: Path) -> None:
    (tmp_path / "mine.csv.gz").write_bytes(gzip.compress(b"list_id,item_id\n1,2\n"))
    assert load_lists("mine.csv.gz", tmp_path, EVERYTHING).lists == [[2]]
    table = pl.DataFrame({"list_id": [7, 7], "item_id": ["2", "03"]})
    table.write_parquet(tmp_path / "mine.parquet")
    data = load_lists(str(tmp_path / "mine.parquet"), None, EVERYTHING)
    assert (data.lists, data.list_ids) == ([["2", "03"]], [7])


@pytest.mark.parametrize("odd", ["007", "7.0", "-0", "+7", "9223372036854775808", "x"])
def test_one_id_that_is_no_plain_integer_keeps_them_all_as_text(tmp_path: Path, odd: str) -> None:
    path = write(tmp_path / "mine.csv", f"list_id,item_id\n1,5\n1,{odd}\n")
    assert load_lists(path, None, EVERYTHING).lists == [["5", odd]]


def test_blanks_at_the_ends_belong_to_no_id_those_inside_do(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "list_id, item_id\n 1, a b\n1 ,a b \n 2, c\n")
    data = load_lists(path, None, EVERYTHING)
    assert (data.lists, data.list_ids) == ([["a b", "a b"], ["c"]], [1, 2])


def test_negative_and_large_integers_come_back_as_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "list_id,item_id\n1,-5\n1,9223372036854775807\n1,0\n")
    assert load_lists(path, None, EVERYTHING).lists == [[-5, 9223372036854775807, 0]]


def test_position_orders_items_as_numbers_with_ties_as_in_the_file(tmp_path: Path) -> None:
    text = "list_id,item_id,position\nx,a,10\nx,b,9\nx,c,9\ny,d,1\nx,e,-2.5\n"
    data = load_lists(write(tmp_path / "mine.csv", text), None, EVERYTHING)
    assert data.lists == [["e", "b", "c", "a"], ["d"]]


def test_lists_whose_rows_are_mixed_are_gathered(tmp_path: Path) -> None:
    text = "list_id,item_id\nx,a\ny,b\nx,c\n"
    data = load_lists(write(tmp_path / "mine.csv", text), None, EVERYTHING)
    assert (data.lists, data.list_ids) == ([["a", "c"], ["b"]], ["x", "y"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "list_id,item_id\n", "has no row"),
        ("a.csv", "list_id,item_id\n\n\n", "has no row"),
        ("a.csv", "user_id,item_id\n1,2\n", "lacks the column list_id: it has user_id, item_id"),
        ("a.csv", "list_id\titem_id\n1\t2\n", "is separated by tabs, not as its name says"),
        ("a.csv", "list_id;item_id\n1;2\n", "is separated by semicolons, not as its name says"),
        ("a.csv", "a,b\n1,2\n", "it has a, b; the first row must name the columns"),
        ("a.csv", 'list_id,item_id\n1,"2,3"\n1,2,3\n', "row 2 has 3 fields, the header 2"),
        ("a.csv", "list_id,item_id\n1,\n", "row 1 has no item_id"),
        ("a.csv", 'list_id,item_id\n1,2\n"",2\n', "row 2 has no list_id"),
        ("a.csv", "list_id,item_id,position\n1,2,first\n", "position must be .* got 'first' in r"),
        ("a.csv", "list_id,item_id,position\n1,2,\n", "row 1 has no position"),
        ("a.csv", "list_id,item_id,position\n1,2,nan\n", "position must be a number, got 'nan'"),
        ("a.csv", "list_id,item_id\n1,2,3\n", "row 1 has 3 fields, the header 2"),
        ("a.csv", "list_id,item_id\n1,\0\n", "is a binary file"),
        ("a.inter", "item_id:token\titem_id:float\tlist_id\n1\t2\t3\n", "item_id more than once"),
        ("a.xlsx", "list_id,item_id\n1,2\n", r"must end in .csv, .tsv"),
        ("a", "list_id,item_id\n1,2\n", r"must end in .csv, .tsv"),
        ("a.parquet", "list_id,item_id\n1,2\n", "is not a Parquet file"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_lists(write(tmp_path / name, text), None, EVERYTHING)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.5, 2.0], "item_id must hold text or integers, got float64"),
        ([date(2024, 1, 1)] * 2, "item_id must hold text or integers, got date"),
        ([True, False], "item_id must hold text or integers, got boolean"),
        ([None, 3], "row 1 has no item_id"),
        (pl.Series([2**63, 1], dtype=pl.UInt64), "item_id has a value of uint64 beyond 64 bits"),
    ],
)
def test_a_parquet_column_of_another_kind_is_refused(
    tmp_path: Path, column: object, message: str
) -> None:
    path = tmp_path / "mine.parquet"
    pl.DataFrame({"list_id": [1, 1], "item_id": column}).write_parquet(path)
    with pytest.raises(DataError, match=message):
        load_lists(str(path), None, EVERYTHING)


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pl.DataFrame({"list_id": [], "item_id": []}).write_parquet(path)
    with pytest.raises(DataError, match="has no row"):
        load_lists(str(path))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz", "a.csv.zip"])
@given(content=st.binary(min_size=1, max_size=200))
def test_no_bytes_end_in_anything_but_lists_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_lists(str(path), None, EVERYTHING)


def test_a_folder_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder: name a file in it"):
        load_lists(str(tmp_path))
    with pytest.raises(DataError, match=r"there is no file .*absent.csv"):
        load_lists(str(tmp_path / "absent.csv"))
    with pytest.raises(DataError, match=r"no data set 'aotn' .did you mean aotm"):
        load_lists("aotn", tmp_path)
    with pytest.raises(DataError, match=r"no data set 'qqq' .known are aotm, spotify_attlist"):
        load_lists("qqq")


def test_a_filter_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "list_id,item_id\n1,2\n3,2\n")
    with pytest.raises(DataError, match="mine: none of 2 lists is left after min_count=10, min_"):
        load_lists(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_written_lists_are_read_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    text = 'list_id,item_id,position\n1,b c,2\n1,"d,""e",1\n2,7,1\n'
    data = load_lists(write(tmp_path / "mine.csv", text), None, EVERYTHING)
    write_lists(data, tmp_path / "new" / f"out{suffix}")
    again = load_lists(f"out{suffix}", tmp_path / "new", EVERYTHING)
    assert (again.lists, again.list_ids) == (data.lists, data.list_ids)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"out{suffix}"]


def test_an_output_of_unknown_kind_or_place_is_refused(tmp_path: Path) -> None:
    data = load_lists(write(tmp_path / "a.csv", "list_id,item_id\n1,2\n"), None, EVERYTHING)
    with pytest.raises(DataError, match=r"must end in .csv, .tsv, .parquet: got"):
        write_lists(data, tmp_path / "a.json")
    with pytest.raises(DataError, match="cannot be written"):
        write_lists(data, tmp_path / "a.csv" / "b.csv")
