"""What a user's file says of its items beside their ids: titles and true categories."""

from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId

_BETWEEN = "|"


def titles_in(table: pl.DataFrame, items: pl.Series, path: Path) -> dict[ExternalId, str] | None:
    """The title of each item, the first that `title` holds in its rows; None without that column.

    items: the items' ids, row by row.

    Raises:
        DataError: the column holds neither text nor numbers.
    """
    found = _first_of_items(table, items, "title")
    if found is None:
        return None
    texts = _as_text(found, path, "title").with_columns(pl.col("value").str.strip_chars())
    return {item: title for item, title in texts.iter_rows() if title}


def categories_in(
    table: pl.DataFrame, items: pl.Series, path: Path
) -> dict[ExternalId, list[str]] | None:
    """The true categories of each item, the first that `categories` holds in its rows, with bars
    between several ("Action|War"), in Parquet also a list; None without that column.

    Raises:
        DataError: the column holds something else.
    """
    found = _first_of_items(table, items, "categories")
    if found is None:
        return None
    if found["value"].dtype != pl.List(pl.String):
        found = _as_text(found, path, "categories").with_columns(
            pl.col("value").str.split(_BETWEEN)
        )
    return {
        item: list(dict.fromkeys(name.strip() for name in names if name and name.strip()))
        for item, names in found.iter_rows()
    }


def with_items(
    rows: pl.DataFrame,
    titles: dict[ExternalId, str] | None,
    categories: dict[ExternalId, list[str]] | None,
) -> pl.DataFrame:
    """Rows with an `item_id`, and what is known of the items in columns that are read back."""
    columns = {"title": titles}
    if categories is not None:
        columns["categories"] = {each: _BETWEEN.join(names) for each, names in categories.items()}
    for name, values in columns.items():
        if values is not None:
            known = [values.get(item) for item in rows["item_id"].to_list()]
            rows = rows.with_columns(pl.Series(name, known, dtype=pl.String))
    return rows


def _as_text(found: pl.DataFrame, path: Path, name: str) -> pl.DataFrame:
    kind = found["value"].dtype
    if kind.is_nested():
        raise DataError(f"{path}: {name} must hold text, got {str(kind).lower()}")
    return found.with_columns(pl.col("value").cast(pl.String))


def _first_of_items(table: pl.DataFrame, items: pl.Series, name: str) -> pl.DataFrame | None:
    """The first value of a column for each item that has any: `item`, `value`."""
    if name not in table.columns:
        return None
    values = pl.DataFrame({"item": items, "value": table[name]})
    return values.filter(pl.all_horizontal(pl.all().is_not_null())).unique(
        "item", keep="first", maintain_order=True
    )
