"""Reading raw files: bytes, compressed or not, and tables of text, with errors of one sentence."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import polars as pl

from cove.errors import DataError
from training.datasets.archives import decompress

_SECOND = "_duplicated_0"
"""What Polars puts behind a name that a file's header has for the second time."""
_KNOWN = {
    "list_id", "user_id", "item_id", "position", "rating", "label", "timestamp", "training_only",
    "title", "categories",
}  # fmt: skip
"""Columns of users' files, which are known in upper case too."""
_SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars", " ": "spaces"}


class RawFiles:
    """The raw files of one named data set, and a digest over every byte read so far.

    The files lie in `directory` itself or in its sub-folder with the data set's name.

    Raises:
        DataError: `directory` is not a folder.
    """

    def __init__(self, name: str, directory: Path) -> None:
        if not directory.is_dir():
            raise DataError(f"the folder of the data set {name} is not a folder: {directory}")
        self.name = name
        self.directory = directory
        self._digest = hashlib.sha256()
        self._found = {
            path.name.lower(): path
            for folder in (directory / name, directory)
            if folder.is_dir()
            for path in sorted(folder.iterdir())
        }

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the raw bytes read so far, in the order of reading."""
        return self._digest.hexdigest()

    def find(self, *names: str) -> Path | None:
        """Give the first of these files that is there; upper and lower case are the same."""
        return next((self._found[n.lower()] for n in names if n.lower() in self._found), None)

    def need(self, *names: str) -> Path:
        """Give the first of these files that is there.

        Raises:
            DataError: none is there.
        """
        path = self.find(*names)
        if path is None:
            wanted = " or ".join(names)
            raise DataError(
                f"the data set {self.name} needs {wanted}, not found in {self.directory}"
            )
        return path

    def only(self, *patterns: str) -> Path:
        """Give the one file of the first pattern (`*.csv`) that any has, upper case as lower.

        Raises:
            DataError: no file has one, or more than one has the first.
        """
        for pattern in patterns:
            found = [path for name, path in self._found.items() if fnmatch(name, pattern.lower())]
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                raise DataError(
                    f"the data set {self.name} needs one file {pattern}, {self.directory} has "
                    f"{len(found)}: {names}"
                )
            if found:
                return found[0]
        return self.need(*patterns)

    def read(self, path: Path) -> bytes:
        """Read and decompress one file, and count its raw bytes into the digest."""
        raw = read_raw(path)
        self._digest.update(raw)
        return decompress(raw, path)


def read_raw(path: Path) -> bytes:
    """Read a file's bytes.

    Raises:
        DataError: it is absent, a folder, empty, or may not be read.
    """
    with _opened(path) as file:
        return file.read()


def digest_of(path: Path) -> str:
    """sha256 of a file's bytes, which are never all in memory.

    Raises:
        DataError: as `read_raw`.
    """
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, with one sentence for whatever is wrong with it."""
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it, or a data set and --from {path}")
    try:
        with path.open("rb") as file:
            if not file.peek(1):
                raise DataError(f"{path} is empty")
            yield file
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None


def decode(content: bytes, path: Path, encoding: str = "utf-8-sig") -> str:
    """Decode text.

    Raises:
        DataError: it is not text in this encoding.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: byte {error.start} cannot be read") from None
    if "\0" in text:
        raise DataError(f"{path} is a binary file, a text file was expected")
    return text


def read_text_table(
    content: bytes,
    path: Path,
    *,
    separator: str,
    columns: Sequence[str] | None = None,
    quoted: bool = False,
) -> pl.DataFrame:
    """Read separated text into a table of strings; blank lines are skipped.

    `columns` names the columns of a file without a header line; with None the first line names
    them, where a RecBole type after a colon (`item_id:token`) is cut off.

    Raises:
        DataError: it is not text, not such a table, or has no row.
    """
    text = decode(content, path)
    if "\n" not in text:  # what ends lines on old Macs does in some exports still
        text = text.replace("\r", "\n")
    try:
        table = pl.read_csv(
            io.StringIO(text),
            has_header=columns is None,
            new_columns=columns,
            separator=separator,
            quote_char='"' if quoted else None,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError as error:
        _check_widths(text, path, separator, quoted)
        raise not_separated(error, path, separator) from None
    if columns is None:
        table = table.rename(plain_names(table.columns, path))
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))
    if table.is_empty():
        raise DataError(f"{path} has no row")
    return table


def _check_widths(text: str, path: Path, separator: str, quoted: bool) -> None:
    """Name the first row that has more fields than the first one.

    Raises:
        DataError: there is one.
    """
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows = csv.reader(io.StringIO(text), delimiter=separator, quoting=quoting)
    try:
        width = len(next(rows, []))
        for number, row in enumerate(rows, start=1):
            if len(row) > width:
                raise DataError(f"{path}: row {number} has {len(row)} fields, the header {width}")
    except csv.Error:
        return


def not_separated(error: pl.exceptions.PolarsError, path: Path, separator: str) -> DataError:
    """What is wrong with a file that Polars does not read as separated text."""
    reason = str(error).strip().splitlines()[0].rstrip(".")
    kind = _SEPARATORS.get(separator, repr(separator))
    return DataError(f"{path} is not a table separated by {kind}: {reason}")


def plain_names(columns: Sequence[str], path: Path) -> dict[str, str]:
    """Each column's name without blanks and RecBole's type; one that is known in lower case.

    Raises:
        DataError: two columns have one, or all are one column of another separator.
    """
    others = [each for each in _SEPARATORS if each in columns[0]] if len(columns) == 1 else []
    if others:
        raise DataError(
            f"{path} is separated by {_SEPARATORS[others[0]]}, not as its name says: .csv is "
            "for commas, .tsv for tabs"
        )
    if any("\r" in name for name in columns):
        raise DataError(f"{path} ends its lines as old Macs did: convert them to Unix line ends")
    names = [name.split(":")[0].strip() for name in columns]
    names = [name.lower() if name.lower() in _KNOWN else name for name in names]
    again = {name.removesuffix(_SECOND) for name in names if name.endswith(_SECOND)}
    twice = sorted(again & {*names} | {name for name, count in Counter(names).items() if count > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]} more than once")
    return dict(zip(columns, names, strict=True))


def need_columns(table: pl.DataFrame, names: Sequence[str], path: Path) -> None:
    """Check that a table has these columns.

    Raises:
        DataError: one is missing.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        found = ", ".join(table.columns)
        hint = "; the first row must name the columns" if len(missing) == len(names) else ""
        raise DataError(f"{path} lacks the column {' and '.join(missing)}: it has {found}{hint}")
