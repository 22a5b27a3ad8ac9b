"""From a table with one item a row to lists of external ids, or to positions."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.files import need_columns

Indices = npt.NDArray[np.int64]
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]*)$"


def group_lists(
    table: pl.DataFrame, path: Path, *, from_text: bool = True
) -> tuple[list[list[ExternalId]], list[ExternalId]]:
    """Gather `list_id, item_id[, position]` into lists, in the order of first appearance.

    Items of one list follow `position` where there is one, else the order of the rows; equal
    positions keep the order of the rows. Ids `from_text` become integers where all of a column are.

    Raises:
        DataError: a column is missing, or a row has no or a malformed value.
    """
    need_columns(table, ("list_id", "item_id"), path)
    ids = integers_where_canonical if from_text else typed_ids
    columns = [ids(table["list_id"], path), ids(table["item_id"], path)]
    if "position" in table.columns:
        columns.append(numbers(table["position"], path))
    rows = pl.DataFrame(columns)
    reject_missing(rows, path)
    items = pl.col("item_id")
    if "position" in rows.columns:
        items = items.sort_by("position", maintain_order=True)
    lists = rows.group_by("list_id", maintain_order=True).agg(items)
    return lists["item_id"].to_list(), lists["list_id"].to_list()


def numbered(column: pl.Series) -> tuple[list[ExternalId], Indices]:
    """Give the distinct ids by first appearance, and the position of each row's id in them."""
    ids = column.unique(maintain_order=True).to_frame("id")
    numbers = ids.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("position"))
    rows = column.to_frame("id").join(numbers, on="id", how="left", maintain_order="left")
    return ids["id"].to_list(), rows["position"].to_numpy()


def integers_where_canonical(column: pl.Series, path: Path) -> pl.Series:
    """Turn ids read as text into int64 if every one is an integer in its usual spelling.

    One 007, 7.0 or id too large for 64 bits leaves them all the text that they are, but for blanks
    at either end: those of a file that has some after its commas belong to no id.
    """
    column = column.str.strip_chars()
    if not column.str.contains(CANONICAL_INTEGER).all():
        return column
    numbers = column.cast(pl.Int64, strict=False)
    return column if numbers.null_count() > column.null_count() else numbers


def typed_ids(column: pl.Series, path: Path) -> pl.Series:
    """Give ids of a typed table as text or int64.

    Raises:
        DataError: they are of another kind, or too large for 64 bits.
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if column.dtype == pl.String:
        return column
    if not column.dtype.is_integer():
        raise DataError(f"{path}: {column.name} must hold text or integers, got {_kind(column)}")
    try:
        return column.cast(pl.Int64)
    except pl.exceptions.PolarsError:
        reason = f"{column.name} has a value of {_kind(column)} beyond 64 bits"
        raise DataError(f"{path}: {reason}") from None


def numbers(column: pl.Series, path: Path) -> pl.Series:
    """Give a column of numbers, or of text that spells them, as float64; missing ones stay so.

    Raises:
        DataError: the column is of another kind, or a value is no finite number.
    """
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    if not (column.dtype == pl.String or column.dtype.is_numeric()):
        raise DataError(f"{path}: {column.name} must hold numbers, got {_kind(column)}")
    values = column.cast(pl.Float64, strict=False)
    wrong = ~values.is_finite().fill_null(False) & column.is_not_null()
    if wrong.any():
        row = wrong.arg_true()[0]
        raise DataError(
            f"{path}: {column.name} must be a number{unit_of(column.name)}, "
            f"got {column[row]!r} in row {row + 1}"
        )
    return values


def unit_of(name: str) -> str:
    """What the numbers of a column count, in words that follow "a number"."""
    return " of seconds, like those since 1970" if name == "timestamp" else ""


def _kind(column: pl.Series) -> str:
    return str(column.dtype).lower()


def reject_missing(rows: pl.DataFrame, path: Path) -> None:
    """Check that no value is missing and no text empty.

    Raises:
        DataError: one is, named by its row and column.
    """
    for name in rows.columns:
        column = rows[name]
        missing = column.is_null() if column.dtype != pl.String else column.fill_null("") == ""
        if missing.any():
            raise DataError(f"{path}: row {missing.arg_true()[0] + 1} has no {name}")
