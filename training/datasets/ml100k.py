"""MovieLens-100K as lists: the films that each user rated 4 or 5, in time order."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.files import RawFiles, decode, need_columns, read_text_table
from training.datasets.tables import Dataset, ListData, ListFilter

NAME = "ml100k"
LIKED = 4
"""The least rating that counts as liking the film."""
RATINGS = ("user_id", "item_id", "rating", "timestamp")
CLASSIC = ("u.data", "u.data.gz")
RECBOLE = ("ml-100k.inter", "ml-100k.inter.gz")
NUM_GENRES = 19
MISSPELT = {"unkonwn": "unknown"}
"""What RecBole's files write for a film whose title GroupLens does not know."""

Titles = dict[ExternalId, str]
Categories = dict[ExternalId, list[str]]


def load(directory: Path) -> ListData:
    """Read the ratings and films, as GroupLens publishes them or as RecBole's atomic files.

    Lists come by user id, films by (timestamp, item id). Titles end in the year, as in
    'Toy Story (1995)'; categories are the genres.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles(NAME, directory)
    path = raw.need(*CLASSIC, *RECBOLE)
    classic = path.name.lower().startswith("u.")
    columns = RATINGS if classic else None
    table = read_text_table(raw.read(path), path, separator="\t", columns=columns)
    lists, users = _liked(table, path)
    titles, categories = _classic_films(raw) if classic else _recbole_films(raw)
    return ListData(NAME, lists, users, titles, categories, raw.sha256)


def _liked(table: pl.DataFrame, path: Path) -> tuple[list[list[ExternalId]], list[ExternalId]]:
    need_columns(table, RATINGS, path)
    numbers = table.select(RATINGS).with_columns(pl.all().cast(pl.Float64, strict=False))
    for name in RATINGS:
        missing = numbers[name].is_null()
        if missing.any():
            row = missing.arg_true()[0]
            value = table[name][row]
            raise DataError(f"{path}: {name} must be a number, got {value!r} in row {row + 1}")
    liked = (
        numbers.filter(pl.col("rating") >= LIKED)
        .with_columns(pl.col("user_id", "item_id").cast(pl.Int64))
        .sort("user_id", "timestamp", "item_id")
        .group_by("user_id", maintain_order=True)
        .agg("item_id")
    )
    return liked["item_id"].to_list(), liked["user_id"].to_list()


def _classic_films(raw: RawFiles) -> tuple[Titles, Categories]:
    """Read u.item (latin-1, `|` between, the last 19 columns genre flags) and u.genre."""
    genre_path = raw.need("u.genre", "u.genre.gz")
    genre_lines = decode(raw.read(genre_path), genre_path).split()
    genres = [line.split("|")[0] for line in genre_lines]
    if len(genres) != NUM_GENRES:
        raise DataError(f"{genre_path} must name {NUM_GENRES} genres, got {len(genres)}")
    path = raw.need("u.item", "u.item.gz")
    titles: Titles = {}
    categories: Categories = {}
    for number, line in enumerate(decode(raw.read(path), path, "latin-1").splitlines(), start=1):
        fields = line.split("|")
        if len(fields) != 5 + NUM_GENRES or not fields[0].isdecimal():
            raise DataError(f"{path}: line {number} is not a film: a number and 23 more columns")
        flags = zip(genres, fields[-NUM_GENRES:], strict=True)
        titles[int(fields[0])] = fields[1].strip()
        categories[int(fields[0])] = [genre for genre, flag in flags if flag == "1"]
    return titles, categories


def _recbole_films(raw: RawFiles) -> tuple[Titles, Categories]:
    path = raw.need("ml-100k.item", "ml-100k.item.gz")
    table = read_text_table(raw.read(path), path, separator="\t")
    names = ("item_id", "movie_title", "release_year", "class")
    need_columns(table, names, path)
    titles: Titles = {}
    categories: Categories = {}
    for item, title, year, genres in table.select(names).iter_rows():
        if item is None or not item.isdecimal():
            raise DataError(f"{path}: item_id must be a number, got {item!r}")
        name = MISSPELT.get(title, title or "")
        titles[int(item)] = f"{name} ({year})" if (year or "").isdecimal() else name
        categories[int(item)] = (genres or "").split()
    return titles, categories


ML100K = Dataset(
    name=NAME,
    description="MovieLens-100K: films that each user rated 4 or 5, in time order",
    terms="grouplens.org/datasets/movielens/100k; research use, no redistribution",
    load=load,
    files=("u.data with u.item and u.genre, or ml-100k.inter with ml-100k.item",),
    default_filter=ListFilter(max_length=200),
)
