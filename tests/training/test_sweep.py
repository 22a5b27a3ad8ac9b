"""`cove sweep`: ranges, trials, pruning, the settings file that training takes, many processes."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import text

from cove.artifact import read_manifest
from cove.errors import SettingsError
from training.cli import main
from training.registry.database import open_registry, registry_url
from training.registry.queries import Registry
from training.run_settings import read_settings_file
from training.sweep_ranges import Choices, Span, parse_ranges, with_fractions

SMALL = {
    "dimensions": 16, "heads": 2, "layers": 1, "epochs": 2, "min_count": 1, "batch_size": 16,
}  # fmt: skip
RANGES = ("--range", "learning_rate=0.0001..0.01:log", "--range", "dropout=0.0,0.2")
STUDY = "fans on tiny.csv"


def call(file: Path, output: Path, *more: str) -> list[str]:
    words = ["sweep", "fans", "--data", str(file), "--output", str(output), "--device", "cpu"]
    for name, value in SMALL.items():
        words += ["--set", f"{name}={value}"]
    return [*words, *more]


def trials_at(url: str) -> list[optuna.trial.FrozenTrial]:
    storage = RDBStorage(url)
    try:
        return optuna.load_study(study_name=STUDY, storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


def database_of_its_own(url: str) -> str:
    """Make a database on a PostgreSQL server; its address."""
    engine = open_registry(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE sweep"))
    engine.dispose()
    return url.replace("/postgres?", "/sweep?")


def test_ranges_are_spans_of_whole_numbers_or_of_others_and_choices() -> None:
    assert parse_ranges(["epochs=5..20", "alpha=0..2.5", "learning_rate=1e-4..0.1:log"]) == {
        "epochs": Span(5, 20),
        "alpha": Span(0, 2.5),
        "learning_rate": Span(1e-4, 0.1, log=True),
    }
    assert parse_ranges(["loss=bce,softmax", "batch_size=64,128"]) == {
        "loss": Choices(("bce", "softmax")),
        "batch_size": Choices((64, 128)),
    }


def test_ends_spelled_as_whole_numbers_leave_a_setting_its_fractions() -> None:
    alpha, layers, choices = Span(0, 2), Span(1, 4), Choices((1, 2))
    assert with_fractions(alpha, lambda value: value == 0.5) == Span(0.0, 2.0)
    assert not with_fractions(alpha, lambda value: True).is_whole
    assert with_fractions(layers, lambda value: False) == layers
    assert with_fractions(layers, lambda value: False).is_whole
    assert with_fractions(choices, lambda value: True) == choices


def test_values_that_were_tried_are_not_trained_again(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = call(tiny, tmp_path, "--range", "dropout=0.0,0.2", "--trials", "6")
    assert main(words) == 0
    lines = capsys.readouterr().err.splitlines()
    same = [line for line in lines if ": as trial " in line]
    assert len(lines) == 6
    assert len(same) >= 4
    with Registry(registry_url(tmp_path)) as registry:
        assert len(registry.list_runs()) == 6 - len(same)
    values = {number: each.value for number, each in enumerate(
        trials_at(f"sqlite:///{tmp_path / 'sweep.sqlite3'}"))}  # fmt: skip
    for line in same:
        number, earlier = map(int, re.findall(r"trial (\d+)", line))
        assert values[number] == values[earlier]


def test_a_sweep_is_gone_on_with_by_the_same_call_alone(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranges = ["--range", "dropout=0.0,0.2", "--trials", "1"]
    assert main(call(tiny, tmp_path, *ranges, "--set", "gradient_norm=Infinity")) == 0
    best = read_settings_file(tmp_path / "best.toml")
    assert best["gradient_norm"] == math.inf
    for more in (["--set", "epochs=3"], ["--seed", "4"], ["--range", "dropout=0.0,0.5"]):
        capsys.readouterr()
        assert main([*call(tiny, tmp_path, *ranges, "--set", "gradient_norm=Infinity"), *more]) == 2
        assert "holds a sweep of other settings, ranges or seed" in capsys.readouterr().err
    assert main(call(tiny, tmp_path, *ranges, "--set", "patience=null")) == 2
    assert "patience=null cannot stand in a settings file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("alpha", "--range takes name=low..high or name=value,value: got 'alpha'"),
        ("alpha=1", "got 'alpha=1'"),
        ("alpha=1,1", "got 'alpha=1,1'"),
        ("alpha=2..1", "must be numbers that rise: got 'alpha=2..1'"),
        ("alpha=0..1:log", "must be numbers above 0 that rise"),
        ("alpha=a..b", "must be numbers that rise"),
        ("alpha=", "--range takes name="),
    ],
)
def test_what_is_no_range_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_ranges([given])
    assert sentence in str(refused.value)


def test_the_best_settings_are_a_file_that_training_takes(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "sweep"
    assert main(call(tiny, output, *RANGES, "--trials", "3", "--cove", "12,4")) == 0
    trials = trials_at(f"sqlite:///{output / 'sweep.sqlite3'}")
    assert len(trials) == 3
    best = max((t for t in trials if t.value is not None), key=lambda trial: trial.value)
    settings = read_settings_file(output / "best.toml")
    assert settings == SMALL | best.params
    manifest = read_manifest(output / str(best.number))
    assert manifest.metrics["valid"]["ndcg_at_10"] == best.value
    head = (output / "best.toml").read_text().splitlines()
    assert head[0].startswith("# cove train fans --data ")
    assert head[0].endswith("--seed 0 --cove 12,4 --settings best.toml --output ARTIFACT")
    assert manifest.run_id in head[1]
    again = ["train", "fans", "--data", str(tiny), "--cove", "12,4", "--device", "cpu"]
    again += ["--settings", str(output / "best.toml"), "--output", str(tmp_path / "again")]
    assert main(again) == 0
    assert read_manifest(tmp_path / "again").hash == manifest.hash


def test_a_second_call_goes_on_to_the_number_of_trials_and_no_further(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for trials in ("1", "2", "2"):
        assert main(call(tiny, tmp_path, *RANGES, "--trials", trials, "--json")) == 0
    best = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = trials_at(f"sqlite:///{tmp_path / 'sweep.sqlite3'}")
    assert len(found) == 2
    assert best["valid"] == max(trial.value for trial in found)


def test_a_hopeless_trial_is_pruned_and_its_run_says_so(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prune_the_second(trial: Any) -> bool:
        return trial.number == 1

    monkeypatch.setattr("optuna.Trial.should_prune", prune_the_second)
    assert main(call(tiny, tmp_path, *RANGES, "--trials", "3")) == 0
    states = [trial.state.name for trial in trials_at(f"sqlite:///{tmp_path / 'sweep.sqlite3'}")]
    assert states == ["COMPLETE", "PRUNED", "COMPLETE"]
    with Registry(registry_url(tmp_path)) as registry:
        (failed,) = registry.list_runs(state="failed")
    assert failed.reason == "pruned after epoch 1"
    assert not (tmp_path / "1").exists()
    assert not (tmp_path / ".1.checkpoint").exists()


def test_a_file_that_is_not_there_is_said_before_the_first_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere.csv"
    assert main(call(missing, tmp_path / "out", *RANGES, "--trials", "3")) == 2
    assert capsys.readouterr().err == f"cove: there is no file {missing}\n"
    assert not (tmp_path / "out").exists()


def test_trials_that_fail_are_named_and_end_in_one_sentence(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranges = ["--range", "learning_rate=1e36..1e38", "--set", "warmup_steps=0", "--trials", "2"]
    assert main(call(tiny, tmp_path, *ranges)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("trial ")]) == 2
    assert lines[-1].startswith("cove: no trial ended well: the loss is not a number")
    assert not (tmp_path / "best.toml").exists()
    assert main(call(tiny, tmp_path, *ranges)) == 2  # what failed is tried anew
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["trial 2", "trial 3"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--range", "alhpa=0..2", "--cove", "auto"], "did you mean 'alpha'?"),
        (["--range", "alpha=0..2"], "COVE, which is off"),
        (["--range", "dropout=0..5"], "dropout"),
        (["--range", "epochs=1..3", "--storage", "mysql://x/y"], "sqlite and postgresql"),
        (["--range", "epochs=1..3", "--trials", "0"], "--trials"),
        ([], "--range"),
    ],
)
def test_a_wrong_call_gets_one_sentence(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    assert main(call(tiny, tmp_path / "sweep", *more)) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "sweep" / "0").exists()


def test_the_registry_is_no_storage_for_a_sweep(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = registry_url(tmp_path)
    assert main(call(tiny, tmp_path, *RANGES, "--storage", url)) == 2
    assert "is a registry: a sweep needs a database of its own" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_several_processes_share_one_search(
    database: str, tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'sweep.sqlite3'}"
    if database == "postgresql":
        url = database_of_its_own(request.getfixturevalue("postgres").url)
    words = call(tiny, tmp_path, *RANGES, "--trials", "6", "--storage", url)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "training.cli", *words], env=environment,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    errors = [worker.communicate(timeout=400)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    found = trials_at(url.replace("postgresql:", "postgresql+psycopg:"))
    assert 6 <= len(found) <= 7  # the other may be at one when the sixth ends
    assert all(trial.state.is_finished() for trial in found)
    with Registry(registry_url(tmp_path)) as registry:
        assert len({run.pid for run in registry.list_runs()}) == 2
