"""What is behind the suffixes .gz and .zip, in memory or as a file."""

import errno
import gzip
import io
import shutil
import zipfile
import zlib
from pathlib import Path

from cove.errors import DataError

UNREADABLE_ARCHIVE = (
    OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


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


def unpacked(path: Path, folder: Path) -> Path:
    """The content behind the suffix .gz or .zip as a file in `folder`; another file as it is.

    Raises:
        DataError: it is not a whole file of its kind.
    """
    suffix, to = path.suffix.lower(), folder / path.stem
    if suffix not in {".gz", ".zip"}:
        return path
    with to.open("wb") as target:
        try:
            if suffix == ".gz":
                with gzip.open(path) as content:
                    shutil.copyfileobj(content, target)
            else:
                with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path)) as one:
                    shutil.copyfileobj(one, target)
        except UNREADABLE_ARCHIVE as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise DataError(f"{path} is not a whole {suffix[1:]} file") from None
    return to


def _only_member(raw: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return archive.read(_member(archive, path))


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of the one file in an archive."""
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/")
    ]
    if len(names) != 1:
        raise DataError(f"{path} must hold exactly one file, got {len(names)}")
    return names[0]
