"""Interactions that a user brings, and what kind of data a user's file holds."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.files import need_columns
from training.datasets.grouping import (
    numbers,
    reject_missing,
)
from training.datasets.interactions import RawInteractions
from training.datasets.tables import Kind
from training.datasets.user_clicks import seconds
from training.datasets.user_file import read_user_table
from training.datasets.user_items import categories_in, titles_in


def load_user_interactions(path: Path) -> RawInteractions:
    """Read `user_id, item_id[, rating][, timestamp]`, an interaction a row.

    A timestamp is a number (seconds, or any that grows with time), in Parquet also a date with a
    time; `title` and `categories` are of the row's item. Other columns are ignored, the name is the
    file's stem.

    Raises:
        DataError: the file is absent, empty, of another kind, lacks a column or a value, or has
            labels, of which 0 is no interaction.
    """
    file = read_user_table(path)
    table = file.table
    need_interactions(table, path)
    items = file.ids("item_id", path)
    columns = [file.ids("user_id", path), items]
    if "rating" in table.columns:
        columns.append(numbers(table["rating"], path))
    if "timestamp" in table.columns:
        columns.append(seconds(table["timestamp"], path))
    rows = pl.DataFrame(columns)
    reject_missing(rows, path)
    if "timestamp" in rows.columns:
        rows = rows.rename({"timestamp": "order"})
    titles, categories = titles_in(table, items, path), categories_in(table, items, path)
    return RawInteractions(file.name, rows, titles, categories, file.sha256)


def need_interactions(table: pl.DataFrame, path: Path) -> None:
    """Check that a table has the columns of interactions.

    Raises:
        DataError: one is missing, or there are labels, of which 0 is no interaction.
    """
    if "list_id" in table.columns and "user_id" not in table.columns:
        raise DataError(f"{path} has the column list_id, so it holds lists, and no interactions")
    need_columns(table, ("user_id", "item_id"), path)
    if "label" in table.columns:
        raise DataError(
            f"{path} has the column label, so it holds clicks: for interactions keep the rows of "
            "label 1 and leave the column out"
        )


def kind_of_file(path: Path) -> Kind:
    """Tell from its columns what a user's file holds where nobody says.

    A list_id makes it lists; else a label or a rating makes it clicks, and neither interactions.
    One with ratings can be read as interactions too: name the kind (`--kind interactions`).

    Raises:
        DataError: it cannot be read, or has the columns of none.
    """
    file = read_user_table(path)
    found = set(file.table.columns)
    if "list_id" in found:
        return "lists"
    if "user_id" in found and found & {"label", "rating"}:
        return "clicks"
    if {"user_id", "item_id"} <= found:
        return "interactions"
    raise DataError(
        f"{path} has neither list_id, item_id (lists) nor user_id, item_id (interactions; clicks "
        f"with a label or rating) in its first row, which must name the columns: it has "
        f"{', '.join(file.table.columns)}"
    )
