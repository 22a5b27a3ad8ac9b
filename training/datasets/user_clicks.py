"""Clicks that a user brings: a file with user_id, item_id and a label or a rating."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.clicks import RawClicks
from training.datasets.files import need_columns
from training.datasets.grouping import (
    numbers,
    reject_missing,
)
from training.datasets.user_file import read_user_table
from training.datasets.user_items import categories_in, titles_in

TRUTH = {"true": "1", "false": "0"}
"""How other programs spell a label in text."""


def load_user_clicks(path: Path) -> RawClicks:
    """Read `user_id, item_id, label|rating[, timestamp][, training_only]`, a sample a row.

    A label is 0 or 1 (or true, false) and goes before a rating where a file has both; a timestamp
    is a number of seconds, in Parquet also a date with a time; `title` and `categories` are of the
    row's item. Other columns are ignored, the name is the file's stem.

    Raises:
        DataError: the file is absent, empty, of another kind, or lacks a column or a value.
    """
    file = read_user_table(path)
    table = file.table
    answer = "label" if "label" in table.columns else "rating"
    if answer not in table.columns:
        found = ", ".join(table.columns)
        raise DataError(f"{path} lacks the column label or rating: it has {found}")
    need_columns(table, ("user_id", "item_id"), path)
    items = file.ids("item_id", path)
    columns = [file.ids("user_id", path), items]
    read = {"label": _zero_or_one, "rating": numbers}[answer]
    columns.append(read(table[answer], path))
    if "timestamp" in table.columns:
        columns.append(seconds(table["timestamp"], path))
    if "training_only" in table.columns:
        columns.append(_zero_or_one(table["training_only"], path).cast(pl.Boolean))
    rows = pl.DataFrame(columns)
    reject_missing(rows, path)
    titles, categories = titles_in(table, items, path), categories_in(table, items, path)
    return RawClicks(file.name, rows, titles, categories, file.sha256)


def _zero_or_one(column: pl.Series, path: Path) -> pl.Series:
    given = column
    if column.dtype == pl.Boolean:
        column = column.cast(pl.UInt8)
    elif column.dtype == pl.String:
        column = column.str.strip_chars().str.to_lowercase().replace(TRUTH)
    values = numbers(column, path)
    wrong = ~values.is_in([0.0, 1.0]) & values.is_not_null()
    if wrong.any():
        row = wrong.arg_true()[0]
        raise DataError(
            f"{path}: {column.name} must be 0 or 1, got {given[row]!r} in row {row + 1}"
        )
    return values.cast(pl.UInt8)


def seconds(column: pl.Series, path: Path) -> pl.Series:
    """Give times as float64 seconds, from numbers or from dates with a time.

    Raises:
        DataError: the column holds neither.
    """
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us").cast(pl.Float64) / 1e6
    return numbers(column, path)
