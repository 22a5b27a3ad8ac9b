"""The loaders of named data sets, on small files of each format and on the real ones."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cove.errors import DataError
from training.datasets import DATASETS, ListFilter, load_clicks, load_interactions, load_lists
from training.datasets.stats import list_stats

EVERYTHING = ListFilter(min_count=1, min_length=1, max_length=1000)
GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
]  # fmt: skip
RATINGS = "2\t1\t5\t30\n1\t3\t4\t20\n1\t1\t5\t20\n1\t2\t3\t10\n1\t4\t4\t10\n"
FILMS = [
    (1, "Toy Story", "1995", ["Animation", "Comedy"]),
    (2, "Dull", "1996", ["Drama"]),
    (3, "Métisse (Café au Lait)", "1993", ["Comedy"]),
    (4, "unknown", "", ["unknown"]),
]


def write_classic(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    genres = "\n".join(f"{name}|{number}" for number, name in enumerate(GENRES)) + "\n\n"
    lines = []
    for item, title, year, held in FILMS:
        flags = "|".join(str(int(genre in held)) for genre in GENRES)
        lines.append(f"{item}|{title} ({year})" if year else f"{item}|{title}")
        lines[-1] += f"|01-Jan-1995||http://film|{flags}"
    (folder / "u.data").write_text(RATINGS)
    (folder / "u.genre").write_text(genres)
    (folder / "u.item").write_bytes("\n".join(lines).encode("latin-1"))


def write_recbole(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    films = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    for item, title, year, held in FILMS:
        shown = title.replace("unknown", "unkonwn")
        films += f"{item}\t{shown}\t{year or 'unkonwn'}\t{' '.join(held)}\n"
    (folder / "ml-100k.inter").write_text(header + RATINGS)
    (folder / "ml-100k.item").write_text(films, encoding="utf-8")


@pytest.mark.parametrize("write", [write_classic, write_recbole])
def test_ml100k_lists_liked_films_in_time_order_from_both_sources(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "ml100k")
    for directory in (tmp_path, tmp_path / "ml100k"):
        data = load_lists("ml100k", directory, EVERYTHING)
        assert data.list_ids == [1, 2]
        assert data.lists == [[4, 1, 3], [1]]
        assert data.titles == {
            1: "Toy Story (1995)", 3: "Métisse (Café au Lait) (1993)", 4: "unknown",
        }  # fmt: skip
        assert data.categories == {1: ["Animation", "Comedy"], 3: ["Comedy"], 4: ["unknown"]}


def test_real_ml100k_gives_887_lists_with_titles_and_genres(
    data_folder: Callable[[str], Path],
) -> None:
    data = load_lists("ml100k", data_folder("ml100k"))
    counts = list_stats(data)
    assert (counts["lists"], counts["items"], counts["longest"]) == (887, 807, 200)
    assert data.titles is not None
    assert data.categories is not None
    assert data.titles[50] == "Star Wars (1977)"
    assert data.categories[50] == ["Action", "Adventure", "Romance", "Sci-Fi", "War"]
    assert set(data.titles) == {item for row in data.lists for item in row}


def test_real_spotify_attlist_keeps_lists_of_20_to_300(
    data_folder: Callable[[str], Path],
) -> None:
    counts = list_stats(load_lists("spotify_attlist", data_folder("spotify_attlist")))
    assert counts["shortest"] == 20
    assert counts["longest"] == 300
    assert counts["lists"] == 3_310


@pytest.mark.parametrize(
    ("name", "stem"),
    [("aotm", "AotM"), ("zhihu", "Zhihu"), ("spotify", "Spotify"), ("goodreads", "Goodreads")],
)
@pytest.mark.parametrize("form", ["txt", "txt.gz", "txt.zip"])
def test_pair_lines_are_read_in_every_form(tmp_path: Path, name: str, stem: str, form: str) -> None:
    text = "9 b\n9 a\n10 b\n9 c\n\n"
    path = tmp_path / f"{stem}.{form}"
    if form == "txt":
        path.write_text(text)
    elif form == "txt.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{stem}.txt", text)
            archive.writestr(f"__MACOSX/._{stem}.txt", "x")
    data = load_lists(name, tmp_path, EVERYTHING)
    assert data.lists == [["b", "a", "c"], ["b"]]
    assert data.list_ids == [9, 10]
    assert (data.titles, data.categories) == (None, None)


def test_spotify_attlist_reads_bracketed_lists(tmp_path: Path) -> None:
    (tmp_path / "listItem_spotify.txt").write_text("0\t[5, 3, 5]\n1\t[]\n2\t[3]\n")
    data = load_lists("spotify_attlist", tmp_path, EVERYTHING)
    assert (data.lists, data.list_ids) == ([[5, 3, 5], [3]], [0, 2])


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "AotM.txt"
    path.write_text("1 1\n")
    before = load_lists("aotm", tmp_path, EVERYTHING).sha256
    assert load_lists("aotm", tmp_path, EVERYTHING).sha256 == before
    path.write_text("1 2\n")
    assert load_lists("aotm", tmp_path, EVERYTHING).sha256 != before


def test_ranges_are_those_of_table_1() -> None:
    bounds = {
        name: (one.default_filter.min_length, one.default_filter.max_length)
        for name, one in DATASETS.items()
        if "lists" in one.kinds
    }
    assert bounds == {
        "aotm": (10, 60), "spotify_attlist": (20, 300), "ml100k": (10, 200),
        "zhihu": (10, 200), "spotify": (20, 300), "goodreads": (20, 300),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, one in DATASETS.items() for kind in one.kinds]
)
def test_a_folder_without_the_files_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    loaders = {"lists": load_lists, "clicks": load_clicks, "interactions": load_interactions}
    load = loaders[kind]
    with pytest.raises(DataError, match=f"the data set {name} needs .*, not found in"):
        load(name, tmp_path)
    with pytest.raises(DataError, match=f"the data set {name} needs its folder"):
        load(name, None)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is not a folder"):
        load(name, tmp_path / "file")


def test_a_data_set_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the data set mind holds clicks, not lists"):
        load_lists("mind", tmp_path)
    with pytest.raises(DataError, match="the data set aotm holds lists, not clicks"):
        load_clicks("aotm", tmp_path)
    with pytest.raises(DataError, match="the data set toys holds interactions, not clicks"):
        load_clicks("toys", tmp_path)
    with pytest.raises(DataError, match="the data set aotm holds lists, not interactions"):
        load_interactions("aotm", tmp_path)


BROKEN = [
    ("aotm", "AotM.txt", b"", "is empty"),
    ("aotm", "AotM.txt", b"\n\n", "AotM.txt"),
    ("aotm", "AotM.txt", b"1 2\n3\n", "row 2 has no item_id"),
    ("aotm", "AotM.txt", b"1 2 3\n", "is not a table separated by spaces"),
    ("aotm", "AotM.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8 text: byte 0"),
    ("aotm", "AotM.txt", b"1 2\n\x00\x00 3\n", "is a binary file"),
    ("aotm", "AotM.txt.gz", b"not gzip", "is not a whole gz file"),
    ("aotm", "AotM.txt.gz", gzip.compress(b"1 2\n" * 999)[:-20], "is not a whole gz file"),
    ("aotm", "AotM.txt.zip", b"PK\x03\x04 garbage", "is not a whole zip file"),
    ("spotify_attlist", "listItem_spotify.txt", b"0\t[1, 2\n", "line 1 is not a list id, a tab"),
    ("spotify_attlist", "listItem_spotify.txt", b'0\t["a"]\n', "line 1 is not a list id, a tab"),
    ("spotify_attlist", "listItem_spotify.txt", b"0\t[1]\n0\t[2]\n", "two lines for one list"),
    ("ml100k", "u.data", b"1\t2\tfive\t4\n", "rating must be a number, got 'five' in row 1"),
    ("ml100k", "u.data", b"1\t2\t5\t4\n", "needs u.genre or u.genre.gz"),
    ("ml100k", "ml-100k.inter", b"user_id\titem_id\n1\t2\n", "lacks the column rating and time"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "content", "message"), BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, file: str, content: bytes, message: str
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_lists(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "AotM.txt").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        load_lists("aotm", tmp_path)
