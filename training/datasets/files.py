"""Reading raw files: bytes, compressed or not, and tables of text, with errors of one sentence."""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import polars as pl

from cove.errors import DataError

UNREADABLE_ARCHIVE = (
    OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


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
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it, or a data set and --from {path}")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None
    if not raw:
        raise DataError(f"{path} is empty")
    return raw


def decompress(raw: bytes, path: Path) -> bytes:
    """Give the content behind the suffix .gz or .zip (one file, what macOS adds left out)."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".gz":
            return gzip.decompress(raw)
        if suffix == ".zip":
            return _only_member(raw, path)
    except UNREADABLE_ARCHIVE:
        raise DataError(f"{path} is not a whole {suffix[1:]} file") from None
    return raw


def _only_member(raw: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise DataError(f"{path} must hold exactly one file, got {len(names)}")
        return archive.read(names[0])


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
        reason = str(error).strip().splitlines()[0].rstrip(".")
        kind = {"\t": "tabs", " ": "spaces", ",": "commas"}.get(separator, repr(separator))
        raise DataError(f"{path} is not a table separated by {kind}: {reason}") from None
    if columns is None:
        table = _with_plain_names(table, path)
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))
    if table.is_empty():
        raise DataError(f"{path} has no row")
    return table


def _with_plain_names(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    names = [name.split(":")[0].strip() for name in table.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]} more than once")
    return table.rename(dict(zip(table.columns, names, strict=True)))


def need_columns(table: pl.DataFrame, names: Sequence[str], path: Path) -> None:
    """Check that a table has these columns.

    Raises:
        DataError: one is missing.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        found = ", ".join(table.columns)
        raise DataError(f"{path} lacks the column {' and '.join(missing)}: it has {found}")
