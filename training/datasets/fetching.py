"""Getting MovieLens-100K, which may not be redistributed, from where its owners allow it."""

import http.client
import io
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from cove.errors import DataError
from training.datasets import ml100k

GROUPLENS = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
GROUPLENS_FILES = ("u.data", "u.item", "u.genre", "README")
RECBOLE = "recbole==1.2.1"
RECBOLE_FOLDER = "recbole/dataset_example/ml-100k"
RECBOLE_FILES = ("ml-100k.inter", "ml-100k.item", "ml-100k.user")
CONNECT_SECONDS = 10
DOWNLOAD_SECONDS = 120
FAILURES = (
    OSError, http.client.HTTPException, subprocess.SubprocessError, zipfile.BadZipFile,
    KeyError, DataError,
)  # fmt: skip
"""What a source that cannot be reached, or answers with something else, ends in."""

Source = Callable[[Path], None]


def fetch(name: str, directory: Path) -> Path:
    """Bring a named data set into a sub-folder of `directory`, unless it is in there already.

    Returns:
        The folder that holds the files.

    Raises:
        DataError: its owners do not let everybody download it, or `fetch_ml100k` fails.
    """
    if name != ml100k.NAME:
        raise DataError(
            f"only {ml100k.NAME} can be fetched, got {name!r}: get the files from their owners "
            "(see `cove data list`) and name their folder with --from"
        )
    return fetch_ml100k(directory)


def fetch_ml100k(directory: Path) -> Path:
    """Bring MovieLens-100K into `directory/ml100k`, unless it is in `directory` already.

    GroupLens is asked first, then the package index for the recbole wheel, which carries the set.
    The files are checked in a temporary folder, which is then renamed.

    Returns:
        The folder that holds the files.

    Raises:
        DataError: no source could be reached, or the folder cannot be written.
    """
    target = directory / ml100k.NAME
    present = _present(directory)
    if present is not None:
        return present
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise DataError(f"{target} is there but holds no whole ml100k: remove it first")
        with tempfile.TemporaryDirectory(prefix=".ml100k-", dir=directory) as temporary:
            files = Path(temporary, "files")
            files.mkdir()
            _fill(files)
            return _publish(files, target, directory)
    except OSError as error:
        raise DataError(f"{directory} cannot be written: {error.strerror or error}") from None


def _present(directory: Path) -> Path | None:
    try:
        ml100k.load(directory)
    except DataError:
        return None
    target = directory / ml100k.NAME
    return target if target.is_dir() else directory


def _fill(folder: Path) -> None:
    for source in (from_grouplens, from_recbole):
        try:
            source(folder)
            ml100k.load(folder)
        except FAILURES:
            for path in folder.iterdir():
                path.unlink()
        else:
            return
    raise DataError(
        "MovieLens-100K could be downloaded neither from GroupLens nor inside the recbole wheel: "
        "name a folder that holds its files with --from"
    )


def _publish(files: Path, target: Path, directory: Path) -> Path:
    try:
        files.rename(target)
    except OSError:
        present = _present(directory)  # another process was quicker
        if present is None:
            raise
        return present
    return target


def from_grouplens(folder: Path) -> None:
    """Download GroupLens' archive and unpack the files that the loader reads, and the terms."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    archive = io.BytesIO()
    with urllib.request.urlopen(GROUPLENS, timeout=CONNECT_SECONDS) as answer:
        while piece := answer.read(1 << 16):
            archive.write(piece)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{GROUPLENS} took more than {DOWNLOAD_SECONDS} s")
    _unpack(archive, "ml-100k", GROUPLENS_FILES, folder)


def from_recbole(folder: Path) -> None:
    """Download the recbole wheel, without what it depends on, and unpack its example data."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            sys.executable, "-m", "pip", "download", RECBOLE, "--no-deps",
            "--no-binary", ":none:", "--disable-pip-version-check", "--dest", temporary,
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS)
        wheel = next(Path(temporary).glob("*.whl"), None)
        if wheel is None:
            raise FileNotFoundError(f"pip downloaded no wheel of {RECBOLE}")
        _unpack(io.BytesIO(wheel.read_bytes()), RECBOLE_FOLDER, RECBOLE_FILES, folder)


def _unpack(archive: io.BytesIO, inside: str, names: tuple[str, ...], folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for name in names:
            (folder / name).write_bytes(opened.read(f"{inside}/{name}"))
