"""Amazon Grocery as ReChorus publishes it: interactions with times, and items that go together."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.files import RawFiles, need_columns, read_text_table
from training.datasets.grouping import numbers, reject_missing
from training.datasets.interactions import InteractionFilter, RawInteractions
from training.datasets.tables import Dataset

NAME = "grocery_kg"
RELATIONS = {"r_complement": "complements", "r_substitute": "substitutes"}


def load(directory: Path) -> RawInteractions:
    """Read `user_id, item_id, time` and, where the file is there, the items' relations.

    Only the published training part is read: each user's last two interactions, ReChorus' own
    validation and test, are not in it, so some users have fewer than 5. Facts are complements,
    substitutes (both from item to item, as published, not made symmetric) and has_category.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles(NAME, directory)
    path = raw.need("train.csv", "train.csv.gz")
    table = read_text_table(raw.read(path), path, separator="\t")
    need_columns(table, ("user_id", "item_id", "time"), path)
    rows = _integers(table, ("user_id", "item_id"), path).with_columns(
        numbers(table["time"], path).alias("order")
    )
    reject_missing(rows, path)
    meta_path = raw.find("item_meta.csv", "item_meta.csv.gz")
    if meta_path is None:
        return RawInteractions(NAME, rows, None, None, raw.sha256)
    meta = read_text_table(raw.read(meta_path), meta_path, separator="\t")
    need_columns(meta, ("item_id", "i_category", *RELATIONS), meta_path)
    items = _integers(meta, ("item_id", "i_category"), meta_path)
    categories = {item: [str(category)] for item, category in items.iter_rows()}
    facts = pl.concat(
        [_related(items, meta[name], meta_path) for name in RELATIONS] + [_category_facts(items)]
    )
    return RawInteractions(NAME, rows, None, categories, raw.sha256, facts)


def _integers(table: pl.DataFrame, names: tuple[str, ...], path: Path) -> pl.DataFrame:
    rows = pl.DataFrame([table[name].cast(pl.Int64, strict=False) for name in names])
    for name in names:
        wrong = rows[name].is_null()
        if wrong.any():
            row = wrong.arg_true()[0]
            raise DataError(
                f"{path}: {name} must be an integer, got {table[name][row]!r} in row {row + 1}"
            )
    return rows


def _related(items: pl.DataFrame, column: pl.Series, path: Path) -> pl.DataFrame:
    """Give the facts of one relation, whose column holds a JSON list of items in each row."""
    wrong = ~column.fill_null("").str.contains(r"^\[( *\d+ *(, *\d+ *)*)?\]$")
    if wrong.any():
        row = wrong.arg_true()[0]
        raise DataError(
            f"{path}: {column.name} must be a list as in [1, 2], got {column[row]!r} in row "
            f"{row + 1}"
        )
    related = column.str.extract_all(r"\d+").cast(pl.List(pl.Int64), strict=False)
    rows = items.select("item_id").with_columns(related.alias("tail_item"))
    return (
        rows.explode("tail_item")
        .drop_nulls()
        .select(
            pl.col("item_id").alias("head_item"),
            pl.lit(None, dtype=pl.Int64).alias("head_other"),
            pl.lit(RELATIONS[column.name]).alias("relation"),
            "tail_item",
            pl.lit(None, dtype=pl.Int64).alias("tail_other"),
        )
    )


def _category_facts(items: pl.DataFrame) -> pl.DataFrame:
    return items.select(
        pl.col("item_id").alias("head_item"),
        pl.lit(None, dtype=pl.Int64).alias("head_other"),
        pl.lit("has_category").alias("relation"),
        pl.lit(None, dtype=pl.Int64).alias("tail_item"),
        pl.col("i_category").alias("tail_other"),
    )


GROCERY_KG = Dataset(
    name=NAME,
    description="Amazon Grocery and Gourmet Food, in time order; complements, substitutes",
    terms="github.com/THUwangcy/ReChorus, data/Grocery_and_Gourmet_Food/; MIT (repository)",
    load=None,
    files=("train.csv with item_meta.csv",),
    load_interactions=load,
    # The published file is the training part of a 5-core: filtered again, half its users would go.
    default_interaction_filter=InteractionFilter(core=0),
)
