"""Writing filtered lists as one file that `load_lists` reads back."""

import os
import tempfile
from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.tables import ListData

SUFFIXES = (".csv", ".tsv", ".parquet")


def write_lists(data: ListData, path: Path) -> None:
    """Write `list_id, item_id, position` (from 1), first to a temporary file, then renamed.

    Raises:
        DataError: the name's ending is unknown or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"the output must end in {', '.join(SUFFIXES)}: got {path}")
    rows = [
        (list_id, item, position)
        for list_id, items in zip(data.list_ids, data.lists, strict=True)
        for position, item in enumerate(items, start=1)
    ]
    table = pl.DataFrame(rows, schema=["list_id", "item_id", "position"], orient="row")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".lists-", dir=path.parent) as folder:
            temporary = Path(folder, path.name)
            if suffix == ".parquet":
                table.write_parquet(temporary)
            else:
                table.write_csv(temporary, separator="," if suffix == ".csv" else "\t")
            os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None
