"""Files of results: whole or not there, and one sentence where they cannot be written."""

import os
from pathlib import Path

import polars as pl
import pytest

from cove.errors import CoveError, DataError
from training.datasets.writing import replacing
from training.paper.baseline_runs import replace_file


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.md").mkdir()
    with pytest.raises(CoveError, match=r"page\.md cannot be written: Is a directory"):
        replace_file(tmp_path / "page.md", b"text")
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
    replace_file(tmp_path / "other.md", b"text")
    assert (tmp_path / "other.md").read_bytes() == b"text"


def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CoveError, match="pipe cannot be written: it is no ordinary file"):
        replace_file(tmp_path / "pipe", b"text")
    assert (tmp_path / "pipe").is_fifo()


def test_polars_words_for_a_full_disk_are_one_sentence(tmp_path: Path) -> None:
    table = pl.LazyFrame({"a": range(100_000)})
    with (
        pytest.raises(
            DataError, match=r"table\.parquet cannot be written: .*No space left"
        ) as error,
        replacing(tmp_path / "table.parquet"),
    ):
        table.sink_parquet("/dev/full")
    assert "\n" not in str(error.value)
