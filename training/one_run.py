"""One run at a time for each output: two would go on from each other's checkpoints."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cove.errors import SettingsError


@contextmanager
def only_run_at(output: Path) -> Iterator[None]:
    """Hold an output while a run lasts; the lock goes with the process, however that ends.

    Where the file system has no locks, or nothing can be written, nothing is held.

    Raises:
        SettingsError: another process holds it.
    """
    path = output.with_name(f".{output.name}.lock")
    try:
        file = _held(path)
    except BlockingIOError:
        raise SettingsError(
            f"another process is training {output}: wait for it, or name another --output"
        ) from None
    except OSError:
        yield
        return
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _held(path: Path) -> IO[str]:
    """The lock's file, opened and locked; opened again where another has removed it meanwhile."""
    import fcntl  # noqa: PLC0415 - not on every system

    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        except BaseException:
            file.close()
            raise
        file.close()
