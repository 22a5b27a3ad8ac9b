"""The `cove` command on a tiny file of lists: what it prints, and how it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cove.artifact import Manifest, read_artifact, read_manifest
from tests.training.worlds import CODE_SIZES, OPTIONS, Watcher, open_at, run_at, small_settings
from training.cli import main
from training.registry.database import registry_url
from training.registry.queries import Registry

COVE = ["--cove", ",".join(map(str, CODE_SIZES))]
Call = Callable[..., str]
Trained = tuple[Path, Manifest]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COVE_")]:
        if name not in {"COVE_TEST_DATA", "COVE_NO_SKIPS"}:
            monkeypatch.delenv(name)


@pytest.fixture
def cove(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line, which must succeed; gives standard output."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        assert status == 0, errors
        return output

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line, which must refuse with one line; gives it."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        assert (status, output) == (2, "")
        assert errors.startswith("cove: ")
        assert errors.count("\n") == 1
        return errors

    return call


def test_training_from_the_command_line_is_the_run_that_its_options_name(
    cove: Call, tiny: Path, tmp_path: Path, unbroken: Trained
) -> None:
    output = tmp_path / "deep" / "model"
    call = ["train", "fans", "--data", tiny, "--output", output, *COVE, *OPTIONS]
    answer = json.loads(cove(*call, "--device", "cpu", "--json"))
    assert answer["hash"] == unbroken[1].hash
    assert answer["id"] == unbroken[1].id
    assert answer["test"] == unbroken[1].metrics["test"]
    shown = cove(*call)  # again, for a person
    assert f"{unbroken[1].id} in {output}" in shown
    assert "test_item_cooccurrence" in shown
    assert f"cove serve --artifacts {output.parent}" in shown


def test_the_progress_of_a_run_is_a_line_an_epoch(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["train", "fans", "--data", str(tiny), "--output", str(tmp_path / "model"), *COVE]
    assert main([*call, *OPTIONS, "--set", "epochs=2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "codes 2: " in lines[0]


def test_settings_come_from_a_file_and_options_win(cove: Call, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("epochs = 2\ndimensions = 8\nheads = 1\nlayers = 1\nmin_count = 1\n")
    output = tmp_path / "model"
    cove("train", "bert4rec", "--data", tiny, "--output", output, "--seed", 5,
         "--settings", file, "--set", "epochs=1")  # fmt: skip
    manifest = read_artifact(output).manifest
    assert (manifest.recommender, manifest.seed, manifest.quantizers) == ("bert4rec", 5, {})
    assert manifest.settings["dimensions"] == 8
    assert manifest.training["optimisation"]["epochs"] == 1


def test_a_folder_of_data_and_a_name_in_it_are_a_file(
    cove: Call, tiny: Path, tmp_path: Path, unbroken: Trained
) -> None:
    call = ["train", "fans", "--data", tiny.name, "--from", tiny.parent, *COVE, *OPTIONS]
    answer = json.loads(cove(*call, "--output", tmp_path / "model", "--json"))
    assert answer["hash"] == unbroken[1].hash


def test_evaluate_gives_the_recorded_metrics_and_measures_the_same_again(
    cove: Call, tiny: Path, unbroken: Trained
) -> None:
    output, manifest = unbroken
    recorded = json.loads(cove("evaluate", output, "--json"))
    assert recorded == manifest.metrics["test"]
    assert json.loads(cove("evaluate", output, "--from", tiny, "--json")) == recorded
    assert "test_most_popular" in cove("evaluate", output)


def test_recommend_completes_a_list(
    cove: Call, unbroken: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    output, manifest = unbroken
    answer = json.loads(cove("recommend", output, "--items", "3, 5,zz", "--k", 4, "--json"))
    assert answer["model"] == manifest.id
    assert answer["unknown_items"] == ["zz"]
    items = [row["item"] for row in answer["items"]]
    assert len(items) == 4
    assert not {3, 5} & set(items)
    assert main(["recommend", str(output), "--items", "3,zz,5", "--k", "4"]) == 0
    shown = capsys.readouterr()
    assert [int(line.split()[1]) for line in shown.out.splitlines()] == items
    assert shown.err == "cove: not in the model: zz\n"


def test_recommend_takes_ids_with_commas_in_quotes_and_says_when_none_is_known(
    cove: Call, unbroken: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    output, _ = unbroken
    call = ["recommend", output, "--items", '"Earth, Wind & Fire", zz', "--k", 2]
    answer = json.loads(cove(*call, "--json"))
    assert answer["unknown_items"] == ["Earth, Wind & Fire", "zz"]
    assert main([str(each) for each in call]) == 0
    assert "none of the items is known: the most popular" in capsys.readouterr().err


def test_a_second_model_is_told_how_it_comes_to_be_served(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for seed in ("0", "1"):
        call = ["train", "fans", "--data", str(tiny), "--seed", seed, *COVE, *OPTIONS]
        assert main([*call, "--output", str(tmp_path / seed)]) == 0
        said.append(capsys.readouterr().out.splitlines())
    first, second = (read_manifest(tmp_path / seed).id for seed in ("0", "1"))
    assert said[0][-1] == f"serve it:  cove serve --artifacts {tmp_path}"
    assert said[1][-2] == f"{first} stays the model that is served; to serve this one instead:"
    command = said[1][-1].split()
    assert command[:4] == ["cove", "models", "activate", second]
    assert main(command[1:]) == 0
    with Registry(registry_url(tmp_path)) as registry:
        active = registry.active_model("list_completion")
    assert active is not None
    assert active.id == second


def test_the_run_and_the_model_are_listed(cove: Call, unbroken: Trained) -> None:
    output, manifest = unbroken
    here = ["--artifacts", output.parent]
    (run,) = json.loads(cove("runs", "list", *here, "--json"))
    assert (run["state"], run["model_id"]) == ("finished", manifest.id)
    history = json.loads(cove("runs", "show", run["id"][:8], *here, "--json"))["history"]
    assert {point["epoch"] for point in history} == {1, 2, 3}
    (model,) = json.loads(cove("models", "list", *here, "--json"))
    assert (model["id"], model["active"]) == (manifest.id, True)
    assert manifest.id in cove("models", "activate", manifest.id[:9], *here)
    assert "head" in cove("db", "upgrade", *here)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'"),
        (["train"], "Missing argument"),
        (["train", "fans", "--data", "DATA"], "Missing option '--output'"),
        (["--nope"], "--nope"),
        (["TRAIN", "gru"], "got 'gru'"),
        (["TRAIN", "fans", "--seed", "-1"], "--seed"),
        (["TRAIN", "fans", "--seed", "2147483648"], "--seed"),
        (["TRAIN", "fans", "--cove", "auto", "--set", "form=[1]"], "form must be one of"),
        (["TRAIN", "fans", "--seed", "one"], "--seed"),
        (["TRAIN", "fans", "--cove", "10;5"], "whole numbers with commas between"),
        (["TRAIN", "fans", "--cove", "5,10"], "cove: code_sizes must fall strictly"),
        (["TRAIN", "fans", "--cove", "500,10", "--set", "form=evolving"], "exceed the 80 items"),
        (["TRAIN", "fans", "--set", "epochs"], "--set takes name=value: got 'epochs'"),
        (["TRAIN", "fans", "--set", "epoch=3"], "did you mean 'epochs'?"),
        (["TRAIN", "fans", "--set", "epochs=0"], "epochs: "),
        (["TRAIN", "fans", "--set", "heads=3"], "heads"),
        (["TRAIN", "fans", "--codes-from", "ARTIFACT"], "--codes-from needs COVE"),
        (["TRAIN", "fans", "--set", f"dimensions={10**14}"], "(tried to allocate "),
        (["TRAIN", "fans", "--set", f"dimensions={10**20}"], "not enough memory: lower dimensions"),
        (["TRAIN", "fans", "--set", "min_count=1000"], "none of 60 lists is left"),
        (["TRAIN", "fans", "--set", "alpha=1"], "COVE, which is off: add --cove"),
        (["TRAIN", "fans", "--device", "abacus"], "device must be auto, cpu or a GPU"),
        (["TRAIN", "fans", "--device", "meta"], "device must be auto, cpu or a GPU"),
        (["TRAIN", "fans", "--settings", "/nowhere.toml"], "cannot read the settings file"),
        (["TRAIN", "fans", "--output", "DATA"], "is no directory: an artifact is one"),
        (["TRAIN", "fans", "--output", "DATA/model"], "DATA"),
        (["TRAIN", "fans", "--output", "x" * 300], "File name too long"),
        (["TRAIN", "fans", "--set", "forms=paper"], "did you mean 'form'?"),
        (["data", "prepare", "DATA", "--output", "DATA"], "is what is read: name another output"),
        (["train", "fans", "--data", "/nowhere.csv", "--output", "OUT"], "/nowhere.csv"),
        (["train", "fans", "--data", "aotn", "--output", "OUT"], "did you mean aotm"),
        (["train", "fans", "--data", "aotm", "--output", "OUT"], "needs its folder"),
        (["evaluate", "/nowhere"], "/nowhere is no artifact"),
        (["evaluate", "ARTIFACT", "--from", "/nowhere"], "there is no folder or file /nowhere"),
        (["evaluate", "ARTIFACT", "--from", "RUNS"], "was trained on a file named tiny: name"),
        (["recommend", "/nowhere", "--items", "1"], "/nowhere is no artifact"),
        (["recommend", "ARTIFACT", "--items", "1", "--k", "0"], "--k"),
        (["recommend", "ARTIFACT"], "one of --items, --user and --all-users: got none"),
        (["recommend", "ARTIFACT", "--items", "1", "--all-users"], "got --items and --all-users"),
        (["recommend", "ARTIFACT", "--items", "1", "--output", "OUT"], "got it with --items"),
        (["recommend", "ARTIFACT", "--all-users"], "--output FILE.parquet"),
        (["recommend", "ARTIFACT", "--all-users", "--output", "OUT"], "must end in .parquet"),
        (["recommend", "ARTIFACT", "--user", "1"], "recommends to no users"),
        (["runs", "list", "--artifacts", "/nowhere"], "there is no folder /nowhere"),
        (["runs", "list", "--artifacts", "RUNS", "--state", "lost"], "state must be one of"),
        (["runs", "show", "zz", "--artifacts", "RUNS"], "there is no run 'zz'"),
        (["models", "activate", "zz", "--artifacts", "RUNS"], "there is no model 'zz'"),
        (["models", "rollback", "--artifacts", "RUNS"], "no model was active before"),
        (["db", "downgrade", "9999", "--artifacts", "RUNS"], "9999"),
        (["serve", "--artifacts", "/nowhere"], "there is no folder /nowhere"),
        (["serve", "--port", "70000"], "--port"),
    ],
)
def test_a_wrong_call_gives_one_line(
    refused: Call, tiny: Path, tmp_path: Path, unbroken: Trained,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    train = ["train", "--data", tiny, "--output", tmp_path / "out", "--set", "min_count=1"]
    names = {"DATA": tiny, "OUT": tmp_path / "out", "ARTIFACT": unbroken[0],
             "RUNS": unbroken[0].parent, "DATA/model": tiny / "model"}  # fmt: skip
    call: list[object] = []
    for word in arguments:
        call += train if word == "TRAIN" else [names.get(word, word)]
    assert message.replace("DATA", str(tiny)) in refused(*call)
    assert not (tmp_path / "out").exists()


def test_a_model_that_takes_the_place_of_the_served_one_is_served(
    cove: Call, tiny: Path, tmp_path: Path
) -> None:
    here = ["--artifacts", tmp_path / "runs"]
    train = ["train", "bag", "--data", tiny, "--output", tmp_path / "runs" / "m"]
    train += ["--set", "min_count=1", "--set", "epochs=1", "--overwrite"]
    cove(*train)
    assert "serve it:" in cove(*train, "--seed", 1)
    served = [model for model in json.loads(cove("models", "list", *here, "--json"))
              if model["active"]]  # fmt: skip
    assert [model["id"] for model in served] == [read_manifest(tmp_path / "runs" / "m").id]


def test_an_output_may_be_a_link(cove: Call, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "dangling").symlink_to(tmp_path / "other" / "disk")
    settings = ["--set", "min_count=1", "--set", "epochs=1"]
    for name, place in (("link", "disk"), ("dangling", "other/disk")):
        output = tmp_path / name
        cove("train", "bag", "--data", tiny, "--output", output, *settings)
        assert output.is_symlink()
        assert read_manifest(tmp_path / place).recommender == "bag"


def test_the_version_is_no_variable(cove: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVE_VERSION", "1.2.0")
    assert "aotm" in cove("data", "list")


def test_a_column_that_is_there_twice_is_named(refused: Call, tmp_path: Path) -> None:
    (tmp_path / "lists.csv").write_text("list_id,item_id,item_id\na,1,2\n")
    assert "has the column item_id more than once" in refused(
        "data", "stats", tmp_path / "lists.csv"
    )


def test_a_database_that_cannot_be_used_is_one_line(
    refused: Call, unbroken: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ["--artifacts", unbroken[0].parent]
    monkeypatch.setenv("COVE_DATABASE_URL", "nonsense")
    assert "database address" in refused("runs", "list", *here)


def test_a_damaged_artifact_is_one_line(refused: Call, tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    run_at(output, small_settings(tiny, epochs=1))
    weights = output / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert f"{weights} is damaged" in refused("evaluate", output)
    assert f"{weights} is damaged" in refused("recommend", output, "--items", "3")


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: cove")
    assert "recommend" in shown


def test_help_and_version_succeed(cove: Call) -> None:
    assert "--cove" in cove("train", "--help")
    assert cove("--version").startswith("cove ")


def started(*arguments: object) -> "subprocess.Popen[str]":
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "training.cli", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_process_refuses_with_one_line_and_status_2(tmp_path: Path) -> None:
    place = tmp_path / "models" / "m"
    with started("train", "fans", "--data", "/nowhere.csv", "--output", place) as process:
        output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert errors.startswith("cove: ")
    assert errors.count("\n") == 1
    assert not place.parent.exists()


def test_an_interrupted_run_is_failed_and_goes_on(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    call = ["train", "fans", "--data", tiny, "--output", output, *COVE, *OPTIONS]
    with started(*call, "--set", "epochs=100000") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        while not list(tmp_path.glob(".model.checkpoint/[0-9]*")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert first.startswith("epoch 1/100000")
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "cove: interrupted"
    assert "Traceback" not in errors
    assert not output.exists()

    registry = open_at(tmp_path)
    (run,) = registry.list_runs()
    assert run.state == "failed"
    assert str(run.reason).startswith("interrupted")
    watcher = Watcher((run.epochs + 1, 1))
    with pytest.raises(RuntimeError, match="the power went"):
        run_at(output, small_settings(tiny, epochs=100_000), watcher)
    (same,) = registry.list_runs()
    registry.close()
    assert same.id == run.id
