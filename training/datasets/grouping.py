"""From a table with one item a row to lists of external ids."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.files import need_columns

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
    ids = integers_where_canonical if from_text else _typed_ids
    columns = [ids(table["list_id"], path), ids(table["item_id"], path)]
    if "position" in table.columns:
        columns.append(_positions(table["position"], path))
    rows = pl.DataFrame(columns)
    _reject_missing(rows, path)
    items = pl.col("item_id")
    if "position" in rows.columns:
        items = items.sort_by("position", maintain_order=True)
    lists = rows.group_by("list_id", maintain_order=True).agg(items)
    return lists["item_id"].to_list(), lists["list_id"].to_list()


def integers_where_canonical(column: pl.Series, path: Path) -> pl.Series:
    """Turn ids read as text into int64 if every one is an integer in its usual spelling.

    One 007, 7.0 or id too large for 64 bits leaves them all the text that they are.
    """
    if not column.str.contains(CANONICAL_INTEGER).all():
        return column
    numbers = column.cast(pl.Int64, strict=False)
    return column if numbers.null_count() > column.null_count() else numbers


def _typed_ids(column: pl.Series, path: Path) -> pl.Series:
    kind = str(column.dtype).lower()
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if column.dtype == pl.String:
        return column
    if not column.dtype.is_integer():
        raise DataError(f"{path}: {column.name} must hold text or integers, got {kind}")
    try:
        return column.cast(pl.Int64)
    except pl.exceptions.PolarsError:
        raise DataError(f"{path}: {column.name} has a value of {kind} beyond 64 bits") from None


def _positions(column: pl.Series, path: Path) -> pl.Series:
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    if not (column.dtype == pl.String or column.dtype.is_numeric()):
        raise DataError(f"{path}: position must hold numbers, got {str(column.dtype).lower()}")
    numbers = column.cast(pl.Float64, strict=False).fill_nan(None)
    wrong = numbers.is_null() & column.is_not_null()
    if wrong.any():
        row = wrong.arg_true()[0]
        raise DataError(f"{path}: position must be a number, got {column[row]!r} in row {row + 1}")
    return numbers


def _reject_missing(rows: pl.DataFrame, path: Path) -> None:
    for name in rows.columns:
        column = rows[name]
        missing = column.is_null() if column.dtype != pl.String else column.fill_null("") == ""
        if missing.any():
            raise DataError(f"{path}: row {missing.arg_true()[0] + 1} has no {name}")
