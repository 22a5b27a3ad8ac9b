"""`cove reproduce table2` on a tiny file: runs, resumes, writes what it measured, refuses."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cove.artifact import read_artifact, read_manifest
from tests.training.paper.worlds import small_rows
from training.cli import main
from training.datasets.tables import ListData
from training.paper import jobs as paper_jobs
from training.paper import paper_figures
from training.paper.results import NEW_LISTS, new_lists
from training.paper.rows import Row
from training.paper.tables import TABLE_2, TABLES
from training.registry.database import registry_url
from training.registry.queries import Registry
from training.tasks.list_completion import prepare, split_lists

NAMES = [row.name for row in small_rows()]
SEEDS = [0, 1]
THIRDS = TABLE_2.metric_tables[2].metrics


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "table2", replace(TABLE_2, rows=small_rows))


def reproduce(file: Path, output: Path, *more: str) -> int:
    call = ["reproduce", "table2", "--dataset", str(file), "--output", str(output)]
    return main([*call, "--device", "cpu", "--set", "min_count=1", *more])


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A table of all small rows over two seeds, and its JSON."""
    output = tmp_path_factory.mktemp("table") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, "table2", replace(TABLE_2, rows=small_rows))
        assert reproduce(tiny, output, "--seeds", "0,1", "--rows", "all") == 0
    return output, json.loads((output / "table2-tiny.json").read_text())


def test_every_row_and_seed_is_run_and_can_be_traced(made: tuple[Path, dict[str, Any]]) -> None:
    output, report = made
    assert [row["name"] for row in report["rows"]] == NAMES
    with Registry(registry_url(output)) as registry:
        runs = {run.id: run for run in registry.list_runs()}
    for row in report["rows"]:
        assert [seed["seed"] for seed in row["seeds"]] == SEEDS
        for seed in row["seeds"]:
            test = {name: value for name, value in seed["test"].items() if name != NEW_LISTS}
            assert NEW_LISTS in seed["test"]
            if row["group"] == "baselines":
                kept = json.loads((output / seed["place"]).read_text())
                assert kept["test"] == test
                continue
            manifest = read_manifest(output / seed["place"])
            assert (manifest.id, manifest.run_id) == (seed["model_id"], seed["run_id"])
            assert manifest.metrics["test"] == test
            run = runs[seed["run_id"]]
            assert (run.state, run.seed, run.metrics) == ("finished", seed["seed"], test)
    assert len(runs) == 3 * len(SEEDS)


def test_the_markdown_holds_the_figures_of_the_json(made: tuple[Path, dict[str, Any]]) -> None:
    output, report = made
    text = (output / "table2-tiny.md").read_text()
    standard, rest = text.split("## Table A")[1].split("## Table B")
    full_ideal, rest = rest.split("## Table C")
    by_thirds = rest.split("## ")[0]
    for row in report["rows"]:
        for name, mean in row["mean"].items():
            cell = f"{mean:.4f} ± {row['sd'][name]:.4f}"
            (line,) = re.findall(
                rf"^\| {re.escape(row['title'])} \|.*$",
                full_ideal if "full" in name else by_thirds if name in THIRDS else standard,
                flags=re.MULTILINE,
            )
            assert cell in line
    for found in report["comparisons"]:
        assert f"{found['low']:+.4f} to {found['high']:+.4f} | {found['p_value']:.4f}" in text
    assert report["command"] in text
    assert report["date"] in text
    assert report["dataset"]["sha256"][:16] in text
    for metrics in paper_figures.TABLE_2.values():
        assert " | ".join(f"{value:.4f}" for value in metrics["N@10"]) in text
    assert "full-ideal" not in standard
    assert "± " not in text.split("## The paper's own Table 2")[1].split("## ")[0]
    assert (output / "table2-tiny.png").read_bytes().startswith(b"\x89PNG")


def test_means_and_deviations_are_those_of_the_seeds(made: tuple[Path, dict[str, Any]]) -> None:
    for row in made[1]["rows"]:
        one, other = (seed["test"]["ndcg_at_10"] for seed in row["seeds"])
        assert row["mean"]["ndcg_at_10"] == pytest.approx((one + other) / 2)
        assert row["sd"]["ndcg_at_10"] == pytest.approx(abs(one - other) / 2**0.5)


def test_cove_is_compared_with_its_base_and_its_best_row_with_each_baseline(
    made: tuple[Path, dict[str, Any]],
) -> None:
    output, report = made
    found = [c for c in report["comparisons"] if c["metric"] == "ndcg_at_10"]
    pairs = [(c["kind"], c["row"], c["against"]) for c in found]
    assert pairs == [
        ("base", "fans_cove", "fans"),
        ("base", "fans_kmeans_codes", "fans"),
        ("baseline", "fans_cove", "most_popular"),
        ("baseline", "fans_cove", "ease"),
    ]
    lists = [
        [
            read_artifact(output / "tiny" / row / str(seed)).evaluation["ndcg_at_10"]
            for seed in SEEDS
        ]
        for row in ("fans_cove", "fans")
    ]
    gaps = [float((a - b).mean()) for a, b in zip(*lists, strict=True)]
    assert report["comparisons"][0]["by_seed"] == pytest.approx(gaps, abs=1e-7)
    assert report["comparisons"][0]["difference"] == pytest.approx(sum(gaps) / 2, abs=1e-7)
    assert report["comparisons"][0]["num_units"] == 12


def test_a_second_call_trains_nothing_and_says_the_same(
    made: tuple[Path, dict[str, Any]], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, report = made

    def never(*_: object) -> None:
        raise AssertionError("something was done again")

    for name in ("training.train.train", "training.paper.jobs.measure_baseline"):
        monkeypatch.setattr(name, never)
    files = [path for path in (output / "tiny").rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert reproduce(tiny, output, "--seeds", "0,1", "--rows", "all") == 0
    after = [path for path in (output / "tiny").rglob("*") if path.is_file()]
    assert {path: path.stat().st_mtime_ns for path in after} == before
    again = json.loads((output / "table2-tiny.json").read_text())
    assert {**again, "date": report["date"]} == report


def test_an_interrupted_call_is_continued(
    made: tuple[Path, dict[str, Any]], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    call = (tiny, tmp_path, "--seeds", "0", "--rows", "fans,fans_cove")

    def interrupt(self: object, epoch: int, values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(paper_jobs._Relay, "epoch", interrupt)
        assert reproduce(*call) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "table2-tiny.md").exists()
    assert reproduce(*call) == 0
    report = json.loads((tmp_path / "table2-tiny.json").read_text())
    whole = {row["name"]: row for row in made[1]["rows"]}
    for row in report["rows"]:
        assert row["seeds"][0]["model_hash"] == whole[row["name"]]["seeds"][0]["model_hash"]


def test_a_row_that_fails_leaves_the_others_alone_and_is_named(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows() -> list[Row]:
        popular, _, fans, _, codes = small_rows()
        diverging = {**fans.settings, "learning_rate": 1e38, "warmup_steps": 0}
        broken = Row("fans", "FANS", "plain", "fans", diverging)
        return [broken, codes, popular]

    monkeypatch.setitem(TABLES, "table2", replace(TABLE_2, rows=rows))
    assert reproduce(tiny, tmp_path, "--seeds", "3", "--rows", "all") == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line for line in errors if line.startswith("cove: ")] == [
        "cove: fans, seed 3 failed: the loss is not a number any more in epoch 1: lower "
        "learning_rate (1e+38)",
        "cove: fans_kmeans_codes, seed 3 failed: it needs fans of seed 3, which failed",
    ]
    text = (tmp_path / "table2-tiny.md").read_text()
    assert "- fans, seed 3: the loss is not a number any more" in text
    assert "| Most popular |" in text


def test_a_settings_file_and_code_sizes_reach_the_rows_that_they_are_for(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.toml"
    file.write_text("epochs = 1\nalpha = 0.25\n")
    more = ("--rows", "fans,fans_cove", "--seeds", "0", "--settings", str(file), "--cove", "8,3")
    assert reproduce(tiny, tmp_path, *more, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings_for_all"] == {"epochs": 1, "alpha": 0.25, "min_count": 1}
    assert "--cove 8,3 --settings small.toml" in report["command"]
    plain, cove = (read_manifest(tmp_path / "tiny" / name / "0") for name in ("fans", "fans_cove"))
    assert plain.quantizers == {}
    assert (cove.quantizers["item"]["alpha"], cove.epochs) == (0.25, 1)
    assert cove.quantizers["item"]["code_sizes"] == [8, 3]


def test_what_another_row_has_trained_with_the_same_settings_is_taken_over(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = (tiny, tmp_path, "--seeds", "0", "--json")
    assert reproduce(*call, "--rows", "fans") == 0
    first = json.loads(capsys.readouterr().out)["rows"][0]["seeds"][0]
    same = replace(next(row for row in small_rows() if row.name == "fans"), name="alike")
    monkeypatch.setitem(TABLES, "table2", replace(TABLE_2, rows=lambda: [same]))
    monkeypatch.setattr("training.train.train", None)
    assert reproduce(*call, "--rows", "alike") == 0
    second = json.loads(capsys.readouterr().out)["rows"][0]["seeds"][0]
    assert second["place"] == "tiny/alike/0"
    assert second["run_id"] == first["run_id"]
    with Registry(registry_url(tmp_path)) as registry:
        assert len(registry.list_runs()) == 1


def test_changed_settings_of_a_row_replace_its_result(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = (tiny, tmp_path, "--seeds", "0", "--rows", "fans", "--json")
    assert reproduce(*call) == 0
    first = json.loads(capsys.readouterr().out)["rows"][0]["seeds"][0]
    assert reproduce(*call, "--set", "epochs=1") == 0
    second = json.loads(capsys.readouterr().out)
    assert second["rows"][0]["seeds"][0]["model_hash"] != first["model_hash"]
    assert second["settings_for_all"] == {"min_count": 1, "epochs": 1}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--seeds", "0,x"], "seeds are different whole numbers from 0 .*got '0,x'"),
        (["--seeds", "1,1"], "seeds are different whole numbers"),
        (["--seeds", "-1"], "seeds are different whole numbers"),
        (["--rows", "fanz"], "no row named 'fanz': did you mean 'fans'"),
        (["--dataset", "aotn"], "no data set 'aotn' .did you mean aotm."),
        (["--dataset", "aotm"], "the data set aotm needs its folder: name it with --from"),
        (["--device", "tpu"], "device must be auto, cpu or a GPU"),
        (["--jobs", "0"], "Invalid value for '--jobs'"),
        (["--set", "epochs"], "--set takes name=value"),
        (["--settings", "/nowhere.toml"], "cannot read the settings file /nowhere.toml"),
        (["--cove", "10;5"], "whole numbers with commas between"),
        (["--cove", "auto"], "table2 takes no --cove auto: sizes are its rows'"),
    ],
)
def test_a_wrong_call_gets_one_sentence(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    assert reproduce(tiny, tmp_path / "runs", *more) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert re.search(sentence, errors)
    assert not list((tmp_path / "runs").glob("*.md"))


def test_an_output_that_is_a_file_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("")
    assert reproduce(tiny, tmp_path / "runs") == 2
    assert "--output must be a folder" in capsys.readouterr().err


def test_a_test_list_that_training_holds_item_for_item_is_no_new_list() -> None:
    lists = [[f"i{n}" for n in range(8)]] * 20
    data = ListData("same", [list(one) for one in lists], list(range(20)), None, None, "")
    assert not new_lists(prepare(data, 0)).any()
    held_out = split_lists(20, 0).test
    data.lists[held_out[0]].reverse()  # the same items in another order: a new list
    assert new_lists(prepare(data, 0)).tolist() == [True] + [False] * (len(held_out) - 1)
