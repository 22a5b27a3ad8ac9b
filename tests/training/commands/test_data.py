"""`cove data`, as a person and as a machine calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cove.errors import CoveError, DataError, SettingsError
from tests.training.datasets.test_named_sets import write_classic
from training.commands.data import data_app
from training.datasets import DATASETS

LISTS = "list_id,item_id\n1,a\n1,b\n2,a\n2,b\n2,c\n"
EVERYTHING = ["--min-count", "1", "--min-length", "1", "--max-length", "200"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "mine.csv").write_text(LISTS)
    return str(tmp_path / "mine.csv")


@pytest.fixture
def clicks(tmp_path: Path) -> str:
    rows = "user_id,item_id,rating\n1,a,5\n1,b,1\n2,a,4\n2,b,3\n2,c,2\n"
    (tmp_path / "clicks.csv").write_text(rows)
    return str(tmp_path / "clicks.csv")


@pytest.fixture
def interactions(tmp_path: Path) -> str:
    rows = "user_id,item_id,timestamp\n1,a,5\n1,b,1\n2,a,4\n2,b,3\n2,c,2\n"
    (tmp_path / "pairs.csv").write_text(rows)
    return str(tmp_path / "pairs.csv")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(data_app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_stats_of_a_file_are_json_with_the_agreed_names(file: str) -> None:
    counts = json.loads(run("stats", file, "--kind", "lists", *EVERYTHING, "--json"))
    assert counts == {
        "lists": 2, "items": 3, "interactions": 5, "samples": None,
        "items_per_list": 2.5, "shortest": 2, "longest": 3, "density": 5 / 6,
    }  # fmt: skip


def test_stats_without_json_are_a_table(file: str) -> None:
    shown = run("stats", file, *EVERYTHING)
    assert "mine" in shown
    assert "interactions" in shown
    assert "83.333%" in shown


def test_a_too_long_list_is_cut_or_dropped(file: str) -> None:
    bounds = ["--min-count", "1", "--min-length", "1", "--max-length", "2", "--json"]
    assert json.loads(run("stats", file, *bounds))["interactions"] == 4
    assert json.loads(run("stats", file, *bounds, "--too-long", "drop"))["interactions"] == 2


def test_stats_of_aotm_are_the_published_counts(data_folder: Callable[[str], Path]) -> None:
    counts = json.loads(run("stats", "aotm", "--from", str(data_folder("aotm")), "--json"))
    assert (counts["lists"], counts["interactions"], counts["items"]) == (12_940, 162_106, 6_264)


def test_stats_of_ml100k_are_those_of_table_1(data_folder: Callable[[str], Path]) -> None:
    place = ["ml100k", "--from", str(data_folder("ml100k")), "--json"]
    counts = json.loads(run("stats", *place))
    assert (counts["interactions"], counts["samples"]) == (52_480, 69_881)
    assert (counts["source_users"], counts["source_items"]) == (943, 1_682)
    assert counts["source_density"] == pytest.approx(0.04406, abs=5e-6)
    assert json.loads(run("stats", *place, "--kind", "lists"))["lists"] == 887


def test_stats_of_clicks_are_json_with_the_agreed_names(clicks: str) -> None:
    assert json.loads(run("stats", clicks, "--json")) == {
        "users": 2, "items": 3, "interactions": 2, "samples": 4, "training_only": 0,
        "density": 1 / 3, "source_users": 2, "source_items": 3, "source_density": 2 / 3,
    }  # fmt: skip
    assert "66.667%" in run("stats", clicks)


def test_options_of_clicks_label_the_ratings_and_drop_users(clicks: str) -> None:
    rule = ["--positive-from", "3", "--negative-to", "2", "--json"]
    counts = json.loads(run("stats", clicks, *rule))
    assert (counts["interactions"], counts["samples"]) == (3, 5)
    rule += ["--min-positives", "2", "--min-negatives", "1"]
    assert json.loads(run("stats", clicks, *rule))["users"] == 1


def test_prepared_clicks_are_a_file_that_stats_reads(clicks: str, tmp_path: Path) -> None:
    output = tmp_path / "out.tsv"
    assert "4 samples" in run("prepare", clicks, "--output", str(output))
    assert output.read_text() == "user_id\titem_id\tlabel\n1\ta\t1\n1\tb\t0\n2\ta\t1\n2\tc\t0\n"
    assert json.loads(run("stats", str(output), "--json"))["interactions"] == 2


def test_stats_of_interactions_are_json_with_the_agreed_names(interactions: str) -> None:
    assert json.loads(run("stats", interactions, "--core", "2", "--json")) == {
        "users": 2, "items": 2, "interactions": 4, "samples": 8, "density": 1.0,
        "samples_density": 2.0, "source_users": 2, "source_items": 3,
        "facts": None, "relations": None, "entities": None,
    }  # fmt: skip
    assert "200.000%" in run("stats", interactions, "--core", "2")


def test_ratings_are_read_as_interactions_where_one_says_so(clicks: str) -> None:
    rule = ["--kind", "interactions", "--core", "1", "--json"]
    assert json.loads(run("stats", clicks, *rule))["interactions"] == 5
    rule += ["--positive-from", "3"]
    assert json.loads(run("stats", clicks, *rule))["interactions"] == 3


def test_prepared_interactions_are_a_file_that_stats_reads(
    interactions: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    assert "4 interactions" in run("prepare", interactions, "--output", str(output), "--core", "2")
    assert output.read_text() == "user_id,item_id,timestamp\n1,a,5.0\n1,b,1.0\n2,a,4.0\n2,b,3.0\n"
    assert json.loads(run("stats", str(output), "--core", "0", "--json"))["interactions"] == 4


def test_stats_of_toys_count_its_graph(data_folder: Callable[[str], Path]) -> None:
    counts = json.loads(run("stats", "toys", "--from", str(data_folder("toys")), "--json"))
    assert (counts["interactions"], counts["facts"]) == (167_597, 36_577)


def test_every_data_set_is_listed() -> None:
    listed = json.loads(run("list", "--json"))
    assert [one["name"] for one in listed] == list(DATASETS)
    assert listed[0]["filter"] == {
        "min_count": 10, "min_length": 10, "max_length": 60, "too_long": "truncate",
    }  # fmt: skip
    assert {one["name"]: one["kinds"] for one in listed if "clicks" in one["kinds"]} == {
        "ml100k": ["clicks", "lists", "interactions"], "mind": ["clicks"],
        "mind_small_sample": ["clicks"],
    }  # fmt: skip
    rules = {one["name"]: one["interaction_filter"] for one in listed if one["interaction_filter"]}
    assert rules["kindle_10core"] == {"positive_from": None, "core": 10}
    assert set(rules) == {"ml100k", "toys", "kindle_10core", "grocery_kg", "kindle", "amazon"}
    assert "aotm" in run("list")


def test_prepared_lists_are_a_file_that_stats_reads(file: str, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    assert "2 lists" in run("prepare", file, "--output", str(output), *EVERYTHING)
    assert json.loads(run("stats", str(output), *EVERYTHING, "--json"))["interactions"] == 5


def test_fetch_says_where_the_files_are(tmp_path: Path) -> None:
    write_classic(tmp_path / "ml100k")
    shown = run("fetch", "ml100k", "--to", str(tmp_path)).replace("\n", "")
    assert shown == str(tmp_path / "ml100k")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["stats", "aotm"], DataError, "aotm needs its folder: name it with --from"),
        (["stats", "aotn", "--json"], DataError, "did you mean aotm"),
        (["stats", "aotm", "--from", "/nowhere"], DataError, "not a folder: /nowhere"),
        (["stats", "aotm", "--kind", "sets"], SettingsError, "clicks or interactions: got 'set"),
        (["stats", "aotm", "--kind", "clicks"], DataError, "aotm holds lists, not clicks"),
        (["stats", "mind", "--kind", "lists"], DataError, "mind holds clicks, not lists"),
        (["stats", "aotm", "--min-positives", "2"], SettingsError, "--min-positives is for clicks"),
        (["stats", "ml100k", "--min-count", "2"], SettingsError, "ml100k is read as clicks"),
        (["stats", "aotm", "--core", "2"], SettingsError, "--core is for interactions, and aotm"),
        (["stats", "toys", "--kind", "lists"], DataError, "toys holds interactions, not lists"),
        (
            ["stats", "aotm", "--positive-from", "4"],
            SettingsError,
            "is for clicks and interactions, .* add --kind clicks or --kind interactions",
        ),
        (["stats", "toys", "--core", "-1"], SettingsError, "core: .*, got -1"),
        (["stats", "mind", "--min-negatives", "-1"], SettingsError, "min_negatives: .*, got -1"),
        (["stats", "ml100k", "--negative-to", "4"], SettingsError, "must be below positive_from"),
        (["stats", "aotm", "--min-count", "0"], SettingsError, "min_count: .*, got 0"),
        (["stats", "aotm", "--too-long", "cut"], SettingsError, "too_long: .*, got 'cut'"),
        (["stats", "aotm", "--max-length", "5"], SettingsError, "min_length must not exceed"),
        (["fetch", "aotm", "--to", "."], DataError, "only ml100k can be fetched, got 'aotm'"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    arguments: list[str], error: type[CoveError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
