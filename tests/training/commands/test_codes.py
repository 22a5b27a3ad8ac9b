"""`cove codes` on real films and their genres."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.worlds import planted_file, run_at, small_settings
from training.cli import main
from training.commands.codes import MEASURES
from training.resolving import resolve


@pytest.fixture(scope="module")
def films(data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on MovieLens-100K, `aware` with codes and `plain` without."""
    folder, data = tmp_path_factory.mktemp("films"), data_folder("ml100k").parent
    for name, sizes in (("aware", ["--cove", "60,6"]), ("plain", [])):
        call = ["train", "bag", "--data", "ml100k", "--from", str(data), *sizes]
        assert main([*call, "--set", "epochs=2", "--output", str(folder / name)]) == 0
    return folder


def test_codes_from_cooccurrence_agree_with_genres_better_than_random_ones(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["codes", str(films / "aware"), "--against", str(films / "plain")]
    capsys.readouterr()
    assert main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = ["learned", "k-means", "random"]
    assert [level["size"] for level in found["levels"]] == [60, 6]
    assert json.loads((films / "plain" / "manifest.json").read_text())["id"] in found["kmeans_of"]
    for level in found["levels"]:
        assert [each["codes"] for each in level["sets"]] == kinds
        learned, _, random = level["sets"]
        for measure in MEASURES:
            assert learned[measure] > random[measure]
    assert main(call) == 0
    shown = capsys.readouterr().out
    assert f"{found['levels'][0]['sets'][0]['normalized_mutual_information']:.4f}" in shown


def test_an_artifact_keeps_what_was_measured_when_it_was_written(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads((films / "aware" / "quality.json").read_text())
    assert not (films / "plain" / "quality.json").exists()
    capsys.readouterr()
    assert main(["codes", str(films / "aware"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == kept


def test_what_cannot_be_compared_gets_one_sentence(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = planted_file(tmp_path)
    run_at(tmp_path / "lists", small_settings(file))
    run_at(tmp_path / "bare", resolve("bag", str(file), None, 0, {"epochs": 1, "min_count": 1}))
    for arguments, message in (
        ([films / "plain"], "has no codes: train it with --cove"),
        ([tmp_path / "lists"], "have no categories to compare with"),
        ([films / "aware", "--against", tmp_path / "bare"], "know other items"),
        ([tmp_path / "nothing"], "nothing"),
    ):
        capsys.readouterr()
        assert main(["codes", *map(str, arguments)]) == 2
        errors = capsys.readouterr().err
        assert message in errors
        assert errors.count("\n") == 1
