"""An artifact at work offline: measured again, and completing one list."""

from pathlib import Path

import pytest

from cove.artifact import Manifest, read_artifact
from cove.errors import DataError
from training.measure import complete_offline, measure_again


def test_measuring_again_gives_the_recorded_metrics(
    unbroken: tuple[Path, Manifest], tiny: Path
) -> None:
    output, manifest = unbroken
    assert measure_again(read_artifact(output), tiny) == manifest.metrics["test"]


def test_measuring_on_other_data_is_refused(
    unbroken: tuple[Path, Manifest], tiny: Path, tmp_path: Path
) -> None:
    other = tmp_path / "tiny.csv"
    other.write_text(tiny.read_text() + "60,1\n" * 12)
    with pytest.raises(DataError, match=r"is not the data that fans-.* was trained on"):
        measure_again(read_artifact(unbroken[0]), other)


def test_a_list_is_completed_offline(unbroken: tuple[Path, Manifest]) -> None:
    answer = complete_offline(unbroken[0], ["3", "nowhere", "5"], 4)
    assert answer["source"] == "model"
    assert answer["unknown_items"] == ["nowhere"]
    assert answer["model"] == unbroken[1].id
    items = [row["item"] for row in answer["items"]]
    assert len(set(items)) == 4
    assert not {3, 5} & set(items)
    assert all(len(row["codes"]) == 2 for row in answer["items"])


def test_popularity_answers_where_no_item_is_known(unbroken: tuple[Path, Manifest]) -> None:
    answer = complete_offline(unbroken[0], ["nowhere"], 5)
    assert answer["source"] == "popularity"
    counts = read_artifact(unbroken[0]).items.popularity
    assert [row["score"] for row in answer["items"]] == counts.sort(descending=True).values[
        :5
    ].tolist()
