"""Writing filtered lists, clicks or interactions as one file that their loader reads back."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.clicks import ClickData
from training.datasets.interactions import InteractionData
from training.datasets.tables import ListData
from training.datasets.user_items import with_items

SUFFIXES = (".csv", ".tsv", ".parquet")


def write_lists(data: ListData, path: Path) -> None:
    """Write `list_id, item_id, position` (from 1)`[, title][, categories]`.

    The file is first a temporary one, then renamed.

    Raises:
        DataError: the name's ending is unknown or the file cannot be written.
    """
    _check_suffix(path)
    rows = [
        (list_id, item, position)
        for list_id, items in zip(data.list_ids, data.lists, strict=True)
        for position, item in enumerate(items, start=1)
    ]
    table = pl.DataFrame(rows, schema=["list_id", "item_id", "position"], orient="row")
    _write(with_items(table, data.titles, data.categories), path)


def write_clicks(data: ClickData, path: Path) -> None:
    """Write `user_id, item_id, label[, timestamp][, training_only][, title][, categories]`, labels
    and `training_only` as 0 or 1.

    The file is first a temporary one, then renamed.

    Raises:
        DataError: the name's ending is unknown or the file cannot be written.
    """
    _check_suffix(path)
    columns = {
        "user_id": _at(data.user_ids, data.users),
        "item_id": _at(data.item_ids, data.items),
        "label": pl.Series(data.labels),
    }
    if data.timestamps is not None:
        columns["timestamp"] = pl.Series(data.timestamps)
    if data.training_only is not None:
        columns["training_only"] = pl.Series(data.training_only).cast(pl.UInt8)
    _write(with_items(pl.DataFrame(columns), data.titles, data.categories), path)


def write_interactions(data: InteractionData, path: Path) -> None:
    """Write `user_id, item_id[, timestamp][, title][, categories]`, a place in the user's line as a
    timestamp too.

    Facts are not written. The file is first a temporary one, then renamed.

    Raises:
        DataError: the name's ending is unknown or the file cannot be written.
    """
    _check_suffix(path)
    columns = {"user_id": _at(data.user_ids, data.users), "item_id": _at(data.item_ids, data.items)}
    if data.order is not None:
        columns["timestamp"] = pl.Series(data.order)
    _write(with_items(pl.DataFrame(columns), data.titles, data.categories), path)


def _at(ids: list[ExternalId], positions: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(ids)[positions]


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"the output must end in {', '.join(SUFFIXES)}: got {path}")


def _write(table: pl.DataFrame, path: Path) -> None:
    suffix = path.suffix.lower()
    with replacing(path) as temporary:
        if suffix == ".parquet":
            table.write_parquet(temporary)
        else:
            table.write_csv(temporary, separator="," if suffix == ".csv" else "\t")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary place beside `path`, and rename what was written there to it at the end.

    Raises:
        DataError: the file cannot be written, or is a device or a pipe, which would be replaced.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path} cannot be written: it is no ordinary file")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".data-", dir=path.parent) as folder:
            temporary = Path(folder, path.name)
            yield temporary
            os.replace(temporary, path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one sentence what keeps `path` from being written.

    Raises:
        DataError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:  # its own words for a full disk
        raise DataError(f"{path} cannot be written: {str(error).splitlines()[0]}") from None
