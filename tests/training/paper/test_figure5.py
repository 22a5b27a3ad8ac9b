"""`cove reproduce figure5` on real films and their genres, barely trained."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training.cli import main


@pytest.mark.slow
def test_codes_of_films_stand_beside_kmeans_and_random_ones_in_page_json_and_plot(
    data_folder: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_folder("ml100k").parent
    call = ["reproduce", "figure5", "--dataset", "ml100k", "--from", str(data),
            "--rows", "plain,bprmf_softmax_cove,bprmf_softmax_cove_100", "--seeds", "3",
            "--set", "epochs=1", "--output", str(tmp_path)]  # fmt: skip
    assert main(call) == 0
    page = (tmp_path / "figure5-ml100k.md").read_text()
    report = json.loads((tmp_path / "figure5-ml100k.json").read_text())
    assert (tmp_path / "figure5-ml100k.png").read_bytes().startswith(b"\x89PNG")
    assert [row["name"] for row in report["rows"]] == [
        "bprmf_softmax_cove", "bprmf_softmax_cove_100",
    ]  # fmt: skip
    quality = report["rows"][1]["quality"]
    assert "which has no codes" in quality["kmeans_of"]
    (level,) = quality["levels"]
    learned, kmeans, random = level["sets"]
    assert (level["size"], kmeans["codes"]) == (100, "k-means")
    assert learned["normalized_mutual_information"] > random["normalized_mutual_information"]
    assert f"| {learned['purity']:.4f} |" in page
    (run,) = report["trained"][-1]["seeds"]
    assert f"`{run['run_id'][:12]}` | `{run['model_id']}` | `{run['settings_hash'][:12]}`" in page
    capsys.readouterr()
    assert main([*call, "--json"]) == 0, "nothing is trained again"
    assert json.loads(capsys.readouterr().out)["rows"] == report["rows"]


def test_data_without_categories_get_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clicks.csv"
    pairs = (f"{user},{(user + step) % 9}\n" for user in range(12) for step in range(6))
    file.write_text("user_id,item_id\n" + "".join(pairs))
    call = ["reproduce", "figure5", "--dataset", str(file), "--output", str(tmp_path / "runs")]
    assert main(call) == 2
    assert capsys.readouterr().err == ("cove: the data clicks have no categories to compare with\n")
