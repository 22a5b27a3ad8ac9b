"""`cove reproduce table4` and `figure3` on a tiny file: one set of runs, two pages."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cove.artifact import read_manifest
from tests.training.worlds import CLICKS_SMALL, planted_clicks
from training.cli import main
from training.paper.rows import Row
from training.paper.tables import FIGURE_3, TABLE_4, TABLES
from training.registry.database import registry_url
from training.registry.queries import Registry

PLAIN: dict[str, Any] = {
    k: v for k, v in CLICKS_SMALL.items() if k not in {"alpha", "initialization", "form"}
}
COVE: dict[str, Any] = PLAIN | {"initialization": "sample", "form": "evolving"}
SHALLOW: dict[str, Any] = {
    k: v for k, v in PLAIN.items() if k not in {"dimensions", "widths", "dropout"}
}


def plain_and_cove() -> list[Row]:
    return [
        Row("deepfm", "DeepFM", "plain", "deepfm", PLAIN),
        Row(
            "deepfm_cove_user", "COVE on users of DeepFM", "cove", "deepfm", COVE, None,
            base="deepfm", user_code_sizes=(5,),
        ),
        Row(
            "deepfm_cove_both", "COVE on users and items of DeepFM", "cove", "deepfm", COVE, (6,),
            base="deepfm", user_code_sizes=(5, 2),
        ),
    ]  # fmt: skip


def all_rows() -> list[Row]:
    return [
        Row(
            "logistic_regression",
            "Logistic regression",
            "baselines",
            "logistic_regression",
            SHALLOW,
        ),
        *plain_and_cove(),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table and the figure of two seeds."""
    folder = tmp_path_factory.mktemp("table4")
    file, output = planted_clicks(folder), folder / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, "table4", replace(TABLE_4, rows=all_rows))
        patch.setitem(TABLES, "figure3", replace(FIGURE_3, rows=plain_and_cove))
        for name in ("table4", "figure3"):
            call = ["reproduce", name, "--dataset", str(file), "--output", str(output)]
            assert main([*call, "--device", "cpu", "--seeds", "0,1", "--rows", "main"]) == 0
    return output


def report(made: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((made / f"{name}-clicks.json").read_text())
    return content


def test_every_row_and_seed_is_a_run_of_the_registry(made: Path) -> None:
    rows = report(made, "table4")["rows"]
    assert [row["name"] for row in rows] == [row.name for row in all_rows()]
    with Registry(registry_url(made)) as registry:
        runs = {run.id: run for run in registry.list_runs()}
    assert len(runs) == 8
    for row in rows:
        for seed in row["seeds"]:
            manifest = read_manifest(made / seed["place"])
            assert seed["test"] == manifest.metrics["test"]
            assert runs[seed["run_id"]].state == "finished"
    both = next(row for row in rows if row["name"] == "deepfm_cove_both")
    assert [use["size"] for use in both["seeds"][0]["code_use"]["user"]] == [5, 2]


def test_the_figure_is_made_of_the_tables_runs(made: Path) -> None:
    table, figure = ({r["name"]: r for r in report(made, n)["rows"]} for n in ("table4", "figure3"))
    assert figure.keys() == {"deepfm", "deepfm_cove_user", "deepfm_cove_both"}
    for name, row in figure.items():
        assert [s["run_id"] for s in row["seeds"]] == [s["run_id"] for s in table[name]["seeds"]]


def test_each_cove_row_has_its_gain_and_interval_over_users(made: Path) -> None:
    text = (made / "table4-clicks.md").read_text()
    found = report(made, "table4")["comparisons"]
    kinds = [(c["kind"], c["row"], c["against"], c["metric"]) for c in found]
    for metric in ("user_auc", "ndcg_at_5"):
        for form in ("user", "both"):
            assert ("base", f"deepfm_cove_{form}", "deepfm", metric) in kinds
    assert {c["against"] for c in found if c["kind"] == "baseline"} == {"logistic_regression"}
    for one in found:
        assert f"{one['low']:+.4f} to {one['high']:+.4f} | {one['p_value']:.4f}" in text


def test_the_page_holds_the_jsons_figures_beside_the_papers(made: Path) -> None:
    text = (made / "table4-clicks.md").read_text()
    standard, rest = text.split("## Table A")[1].split("## Table B")
    for row in report(made, "table4")["rows"]:
        for name, part in (("ndcg_at_5", standard), ("user_auc", standard), ("auc", rest)):
            (line, *_) = re.findall(rf"^\| {re.escape(row['title'])} \|.*$", part, re.MULTILINE)
            assert f"{row['mean'][name]:.4f} ± {row['sd'][name]:.4f}" in line
    assert "The paper's own Table 4" in text
    assert "0.7440" in text  # COVE on FinalMLP, MovieLens, N@1
    assert "cove reproduce table4" in text
    assert (made / "figure3-clicks.png").stat().st_size > 10_000


def test_lists_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["reproduce", "table4", "--dataset", "aotm", "--from", str(tmp_path)]
    assert main([*call, "--output", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == "cove: the data set aotm holds lists, not clicks\n"
