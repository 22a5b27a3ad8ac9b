"""MovieLens-100K: films that a user liked (lists, interactions), or liked and disliked (clicks).

A graph of films, people and genres from Freebase goes with the interactions where it is there.
"""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.clicks import ClickFilter, RawClicks
from training.datasets.files import RawFiles, decode, need_columns, read_text_table
from training.datasets.grouping import numbers, reject_missing
from training.datasets.interactions import InteractionFilter, RawInteractions
from training.datasets.tables import Dataset, ListData, ListFilter

NAME = "ml100k"
LIKED = 4
"""The least rating that counts as liking the film."""
RATINGS = ("user_id", "item_id", "rating", "timestamp")
CLASSIC = ("u.data", "u.data.gz")
RECBOLE = ("ml-100k.inter", "ml-100k.inter.gz")
GRAPH = ("ml-100k.kg", "ml-100k.kg.gz")
LINKS = ("ml-100k.link", "ml-100k.link.gz")
NUM_GENRES = 19
MISSPELT = {"unkonwn": "unknown"}
"""What RecBole's files write for a film whose title GroupLens does not know."""

Titles = dict[ExternalId, str]
Categories = dict[ExternalId, list[str]]


def load(directory: Path) -> ListData:
    """Read the films that each user rated 4 or 5, as GroupLens or RecBole publishes them.

    Lists come by user id, films by (timestamp, item id). Titles end in the year, as in
    'Toy Story (1995)'; categories are the genres.

    Raises:
        DataError: a file is missing or malformed.
    """
    table, titles, categories, sha256 = _read(RawFiles(NAME, directory))
    liked = (
        table.filter(pl.col("rating") >= LIKED)
        .sort("user_id", "timestamp", "item_id")
        .group_by("user_id", maintain_order=True)
        .agg("item_id")
    )
    lists, users = liked["item_id"].to_list(), liked["user_id"].to_list()
    return ListData(NAME, lists, users, titles, categories, sha256)


def load_clicks(directory: Path) -> RawClicks:
    """Read every rating as one sample, in the order of the file; else as `load`.

    Raises:
        DataError: a file is missing or malformed.
    """
    return RawClicks(NAME, *_read(RawFiles(NAME, directory)))


def load_interactions(directory: Path) -> RawInteractions:
    """Read every rating with its time, and the graph where both of its files are there.

    The graph (RecBole) has relations of Freebase as published, most with their inverse as another
    relation; an entity that is linked to a film stands for the film.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles(NAME, directory)
    table, titles, categories, _ = _read(raw)
    table = table.rename({"timestamp": "order"})
    graph, links = raw.find(*GRAPH), raw.find(*LINKS)
    facts = None if graph is None or links is None else _facts(raw, graph, links)
    return RawInteractions(NAME, table, titles, categories, raw.sha256, facts)


def _facts(raw: RawFiles, graph_path: Path, link_path: Path) -> pl.DataFrame:
    graph = read_text_table(raw.read(graph_path), graph_path, separator="\t")
    need_columns(graph, ("head_id", "relation_id", "tail_id"), graph_path)
    reject_missing(graph.select("head_id", "relation_id", "tail_id"), graph_path)
    links = read_text_table(raw.read(link_path), link_path, separator="\t")
    need_columns(links, ("item_id", "entity_id"), link_path)
    films = pl.DataFrame([numbers(links["item_id"], link_path), links["entity_id"]])
    reject_missing(films, link_path)
    films = films.with_columns(pl.col("item_id").cast(pl.Int64)).unique(
        "entity_id", keep="first", maintain_order=True
    )
    for end in ("head", "tail"):
        own = films.select(
            pl.col("entity_id").alias(f"{end}_id"), pl.col("item_id").alias(f"{end}_item")
        )
        graph = graph.join(own, on=f"{end}_id", how="left", maintain_order="left")
        other = pl.when(pl.col(f"{end}_item").is_null()).then(pl.col(f"{end}_id"))
        graph = graph.with_columns(other.alias(f"{end}_other"))
    relation = pl.col("relation_id").alias("relation")
    return graph.select("head_item", "head_other", relation, "tail_item", "tail_other")


def _read(raw: RawFiles) -> tuple[pl.DataFrame, Titles, Categories, str]:
    """Give ratings (ids int64, rating and timestamp float64), titles, genres and the digest."""
    path = raw.need(*CLASSIC, *RECBOLE)
    classic = path.name.lower().startswith("u.")
    columns = RATINGS if classic else None
    table = _numbers(read_text_table(raw.read(path), path, separator="\t", columns=columns), path)
    titles, categories = _classic_films(raw) if classic else _recbole_films(raw)
    return table, titles, categories, raw.sha256


def _numbers(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    need_columns(table, RATINGS, path)
    rows = pl.DataFrame([numbers(table[name], path) for name in RATINGS])
    reject_missing(rows, path)
    return rows.with_columns(pl.col("user_id", "item_id").cast(pl.Int64))


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
    description="MovieLens-100K: films rated 4 or 5 (lists, interactions), or against 1 or 2",
    terms="grouplens.org/datasets/movielens/100k; research use, no redistribution",
    load=load,
    files=(
        "u.data with u.item and u.genre, or ml-100k.inter with ml-100k.item",
        "for interactions also ml-100k.kg with ml-100k.link",
    ),
    default_filter=ListFilter(max_length=200),
    load_clicks=load_clicks,
    default_click_filter=ClickFilter(min_positives=2, min_negatives=2),
    load_interactions=load_interactions,
    default_interaction_filter=InteractionFilter(positive_from=LIKED, core=5),
)
