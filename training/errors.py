"""Errors of training itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cove.errors import CoveError


class TrainingError(CoveError):
    """Training cannot go on; the sentence says why and what to change."""


_FULL = re.compile(r"out of memory|can't allocate memory|not enough memory|overflow", re.IGNORECASE)
_AMOUNT = re.compile(r"tried to allocate ([\d.]+ \w+)", re.IGNORECASE)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Let it be a TrainingError where the memory of the machine, or of its GPU, does not do.

    torch has a type of its own for the GPU's alone.
    """
    try:
        yield
    except (MemoryError, RuntimeError, TypeError, ValueError) as error:
        if not isinstance(error, MemoryError) and not _FULL.search(str(error)):
            raise
        amount = _AMOUNT.search(str(error))
        said = f" (tried to allocate {amount[1]})" if amount else ""
        raise TrainingError(
            f"there is not enough memory{said}: lower dimensions, max_length or batch_size"
        ) from error
