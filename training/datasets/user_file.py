"""Files that a user brings, CSV, TSV, Parquet or RecBole `.inter`, and the lists in them."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import polars as pl

from cove.errors import DataError
from training.datasets.archives import decompress
from training.datasets.files import plain_names, read_raw, read_text_table
from training.datasets.grouping import group_lists, integers_where_canonical, typed_ids
from training.datasets.tables import ListData
from training.datasets.user_items import categories_in, titles_in

SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t"}
PARQUET = (".parquet", ".pq")
SUFFIXES = (*SEPARATORS, *PARQUET)
"""What a file's name may end in; the text forms may be compressed: .csv.gz, .csv.zip."""


def load_user_file(path: Path) -> ListData:
    """Read `list_id, item_id[, position]`, and `title` and `categories` of the row's item where the
    file has them; other columns are ignored, the name is the file's stem.

    Raises:
        DataError: the file is absent, empty, of another kind, or lacks a column or a value.
    """
    file = read_user_table(path)
    lists, list_ids = group_lists(file.table, path, from_text=file.from_text)
    items = file.ids("item_id", path)
    return ListData(
        name=file.name,
        lists=lists,
        list_ids=list_ids,
        titles=titles_in(file.table, items, path),
        categories=categories_in(file.table, items, path),
        sha256=file.sha256,
    )


class UserTable(NamedTuple):
    """A user's file as a table, of text only where it comes `from_text`."""

    name: str
    table: pl.DataFrame
    from_text: bool
    sha256: str

    def ids(self, column: str, path: Path) -> pl.Series:
        """A column's ids, as text or int64.

        Raises:
            DataError: they are of another kind, or too large for 64 bits.
        """
        read = integers_where_canonical if self.from_text else typed_ids
        return read(self.table[column], path)


def read_user_table(path: Path) -> UserTable:
    """Read a user's file of whatever columns.

    Raises:
        DataError: the file is absent, empty, or of another kind.
    """
    raw = read_raw(path)
    suffix = suffix_of(path)
    if suffix in PARQUET:
        table = _read_parquet(raw, path)
    else:
        content = decompress(raw, path)
        table = read_text_table(
            content, path, separator=SEPARATORS[suffix], quoted=is_quoted(suffix)
        )
    digest = hashlib.sha256(raw).hexdigest()
    return UserTable(path.name.split(".")[0], table, suffix in SEPARATORS, digest)


def suffix_of(path: Path) -> str:
    """The ending, one of `SUFFIXES`, that says how a file is to be read.

    Raises:
        DataError: it ends otherwise.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] in ([".gz"], [".zip"])
    suffix = "".join(suffixes[-2:-1] if compressed else suffixes[-1:])
    if suffix in SEPARATORS or (suffix in PARQUET and not compressed):
        return suffix
    raise DataError(f"{path} must end in {', '.join(SUFFIXES)} (.gz or .zip after a text form)")


def is_quoted(suffix: str) -> bool:
    """Whether a text form has quotes around what holds a separator; RecBole's has none."""
    return suffix != ".inter"


def _read_parquet(raw: bytes, path: Path) -> pl.DataFrame:
    try:
        table = pl.read_parquet(io.BytesIO(raw))
    except (pl.exceptions.PolarsError, OSError, ValueError):
        raise DataError(f"{path} is not a Parquet file") from None
    if table.is_empty():
        raise DataError(f"{path} has no row")
    return table.rename(plain_names(table.columns, path))
