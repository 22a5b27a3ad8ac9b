"""A user's file of interactions as a lazy table, checked row by row by Polars' streaming engine."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from cove.errors import DataError
from training.datasets.archives import unpacked
from training.datasets.files import digest_of, not_separated, plain_names
from training.datasets.grouping import CANONICAL_INTEGER, numbers, typed_ids, unit_of
from training.datasets.interactions import InteractionFilter, no_ratings
from training.datasets.user_clicks import seconds
from training.datasets.user_file import PARQUET, SEPARATORS, is_quoted, suffix_of
from training.datasets.user_interactions import need_interactions

IDS = ("user_id", "item_id")
ROW = "source_row"
"""The place of a row in the source, from 0: what decides between rows of one time."""


class Source(NamedTuple):
    """A checked file: `frame` has `user_id` and `item_id` (text or int64), `source_row`, `order`
    where there are times (float64), and `chosen`: whether the row counts as an interaction."""

    name: str
    frame: pl.LazyFrame
    has_order: bool
    left_out: tuple[str, ...]
    """Columns on the items that a prepared folder does not keep."""
    sha256: str


def open_source(path: Path, filter: InteractionFilter, folder: Path) -> Source:
    """Check a file of `user_id, item_id[, rating][, timestamp]`, by the rules of
    `load_user_interactions`; `folder` takes the content of a compressed one.

    Raises:
        DataError: as there.
        SettingsError: the filter bounds ratings, and the rows have none.
    """
    digest, suffix = digest_of(path), suffix_of(path)
    from_text = suffix in SEPARATORS
    try:
        raw = _scan(unpacked(path, folder), suffix)
        raw = raw.rename(plain_names(raw.collect_schema().names(), path))
        if from_text:
            raw = raw.filter(~pl.all_horizontal(pl.all().is_null()))
        frame = _typed(raw, path, from_text)
    except pl.exceptions.PolarsError as error:
        if from_text:
            raise not_separated(error, path, SEPARATORS[suffix]) from None
        raise DataError(f"{path} is not a Parquet file") from None
    name = path.name.split(".")[0]
    has_order = "order" in frame.collect_schema()
    if filter.positive_from is None:
        chosen = pl.lit(True)
    elif "rating" in frame.collect_schema():
        chosen = pl.col("rating") >= filter.positive_from
    else:
        raise no_ratings(name, filter)
    columns = (*IDS, ROW, *(["order"] if has_order else []))
    left_out = tuple({"title", "categories"} & {*raw.collect_schema()})
    return Source(name, frame.select(*columns, chosen=chosen), has_order, left_out, digest)


def _scan(path: Path, suffix: str) -> pl.LazyFrame:
    if suffix in PARQUET:
        return pl.scan_parquet(path, glob=False)
    return pl.scan_csv(
        path,
        separator=SEPARATORS[suffix],
        quote_char='"' if is_quoted(suffix) else None,
        infer_schema=False,
        glob=False,
    )


def _typed(raw: pl.LazyFrame, path: Path, from_text: bool) -> pl.LazyFrame:
    """Cast the columns of interactions, once every value is known to be one of its kind."""
    nothing = pl.DataFrame(schema=raw.collect_schema())  # its types say what a column may hold
    need_interactions(nothing, path)
    values = {name: pl.col(name) for name in IDS}
    if from_text:
        values = {name: pl.col(name).str.strip_chars() for name in IDS}
    else:
        values = {name: pl.col(name).cast(typed_ids(nothing[name], path).dtype, strict=False)
                  for name in IDS}  # fmt: skip
    if "rating" in nothing.columns:
        numbers(nothing["rating"], path)
        values["rating"] = _number("rating", nothing.schema)
    if "timestamp" in nothing.columns:
        seconds(nothing["timestamp"], path)
        values["timestamp"] = _number("timestamp", nothing.schema)
    raw = raw.select(list(values)).with_row_index(ROW)
    are_integers = _check(raw, values, path)
    if from_text:
        values |= {name: values[name].cast(pl.Int64) for name in are_integers}
    if "timestamp" in values:
        values["order"] = values.pop("timestamp")
    return raw.select(ROW, **values)


def _number(name: str, schema: pl.Schema) -> pl.Expr:
    """A column of numbers or dates as float64; null where it holds neither."""
    column = pl.col(name)
    if isinstance(schema[name], pl.Datetime):
        return column.dt.epoch("us").cast(pl.Float64) / 1e6
    if schema[name] == pl.String:
        column = column.str.strip_chars()
    return column.cast(pl.Float64, strict=False)


def _check(raw: pl.LazyFrame, values: dict[str, pl.Expr], path: Path) -> list[str]:
    """Read the file once, and give those columns of ids that are integers in their usual spelling.

    Raises:
        DataError: there is no row, or one lacks a value or has one that is no number.
    """
    schema = raw.collect_schema()
    texts = [name for name in IDS if schema[name] == pl.String]
    whole = {
        name: values[name].str.contains(CANONICAL_INTEGER).all()
        & values[name].cast(pl.Int64, strict=False).is_not_null().all()
        for name in texts
    }
    wrong = {name: _is_wrong(name, value, schema) for name, value in values.items()}
    found = raw.select(
        pl.len().alias("rows"),
        *(each.any().alias(f"wrong {name}") for name, each in wrong.items()),
        *(each.alias(f"whole {name}") for name, each in whole.items()),
    ).collect(engine="streaming")
    counts = found.row(0, named=True)
    if not counts["rows"]:
        raise DataError(f"{path} has no row")
    for name, each in wrong.items():
        if counts[f"wrong {name}"]:
            row, value = (
                raw.filter(each).select(ROW, name).head(1).collect(engine="streaming").row(0)
            )
            raise _refusal(path, name, row + 1, value)
    return [name for name in texts if counts[f"whole {name}"]]


def _is_wrong(name: str, value: pl.Expr, schema: pl.Schema) -> pl.Expr:
    if name not in IDS:
        return value.is_null() | ~value.is_finite()
    return value.is_null() if schema[name].is_integer() else value.is_null() | (value == "")


def _refusal(path: Path, name: str, row: int, value: object) -> DataError:
    if value is None or str(value).strip() == "":
        return DataError(f"{path}: row {row} has no {name}")
    if name in IDS:
        return DataError(f"{path}: {name} has a value beyond 64 bits in row {row}: {value}")
    return DataError(f"{path}: {name} must be a number{unit_of(name)}, got {value!r} in row {row}")
