"""`cove runs`, `cove models` and `cove db`, as a person and as a machine calls them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.registry.manifests import make_manifest, write_manifest
from training.cli import main
from training.registry.database import registry_url, upgrade
from training.registry.queries import Registry

FACTS = {
    "task": "list_completion", "recommender": "fans", "data_name": "toy", "settings_hash": "0",
    "output": "there",
}  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.delenv("COVE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COVE_ARTIFACTS", str(tmp_path))
    upgrade(registry_url(tmp_path))
    with Registry(registry_url(tmp_path)) as registry:
        yield registry


@pytest.fixture
def runs(registry: Registry) -> list[str]:
    """A finished and a failed run."""
    good = registry.start_run(**FACTS, seed=0, settings={"model": {"dimension": 64}, "same": 1})
    registry.record_metrics(good, 1, {"loss": 2.5})
    registry.finish_run(good, "fans-1", {"ndcg_at_10": 0.125})
    bad = registry.start_run(**FACTS, seed=1, settings={"model": {"dimension": 32}, "same": 1})
    registry.fail_run(bad, "out of memory")
    return [good, bad]


@pytest.fixture
def cove(capsys: pytest.CaptureFixture[str]):
    """Call the command line and give what it printed; a sentence where it refuses."""

    def call(*arguments: str) -> str:
        capsys.readouterr()
        status = main(list(arguments))
        output, errors = capsys.readouterr()
        assert status == (2 if errors else 0), errors
        if errors:
            assert errors.startswith("cove: ")
            assert errors.count("\n") == 1
        return errors or output

    return call


def test_runs_are_listed_with_their_state_and_result(runs, cove) -> None:
    lines = cove("runs", "list").splitlines()
    assert "state" in lines[0]
    assert "out of memory" in lines[1]
    assert "0.1250" in lines[2]
    listed = json.loads(cove("runs", "list", "--json"))
    assert [run["id"] for run in listed] == runs[::-1]
    assert [run["id"] for run in json.loads(cove("runs", "list", "--state", "failed", "--json"))]
    assert json.loads(cove("runs", "list", "--task", "click_through", "--json")) == []


def test_a_run_is_shown_with_its_settings_and_epochs(runs, cove) -> None:
    shown = json.loads(cove("runs", "show", runs[0][:8], "--json"))
    assert shown["settings"]["model"] == {"dimension": 64}
    assert shown["history"] == [{"epoch": 1, "name": "loss", "value": 2.5}]
    assert "loss" in cove("runs", "show", runs[0])


def test_runs_are_compared_by_metrics_and_differing_settings(runs, cove) -> None:
    compared = json.loads(cove("runs", "compare", *runs, "--json"))
    assert compared[runs[0]] == {"model.dimension": 64, "ndcg_at_10": 0.125}
    assert compared[runs[1]] == {"model.dimension": 32, "ndcg_at_10": None}
    assert "same" not in cove("runs", "compare", *runs)


def test_small_settings_are_told_apart(registry: Registry, cove) -> None:
    settings = [{"learning_rate": rate} for rate in (1e-5, 2e-5)]
    made = [registry.start_run(**FACTS, seed=n, settings=each) for n, each in enumerate(settings)]
    (line,) = (each for each in cove("runs", "compare", *made).splitlines() if "rate" in each)
    assert line.split() == ["learning_rate", "1e-05", "2e-05"]


def test_a_table_shows_brackets_and_long_cells_as_they_are(
    registry: Registry, cove, tmp_path: Path
) -> None:
    folder = tmp_path / f"a[b] [bold] {'long' * 60}"
    write_manifest(folder, 0)
    assert str(folder) in cove("models", "list")


def test_a_model_whose_artifact_is_gone_is_not_made_the_served_one(
    registry: Registry, cove, tmp_path: Path
) -> None:
    first, second = (write_manifest(tmp_path / str(seed), seed) for seed in range(2))
    cove("models", "activate", first)
    cove("models", "activate", second)
    shutil.rmtree(tmp_path / "0")
    for call in (("activate", first), ("rollback",)):
        assert f"the artifact of {first} is no longer at {tmp_path / '0'}" in cove("models", *call)
    assert json.loads(cove("models", "list", "--json"))[0]["active"]


def test_a_run_whose_process_died_is_listed_as_failed(registry, runs, cove, monkeypatch) -> None:
    monkeypatch.setattr("training.registry.queries.is_gone", lambda process: True)
    registry.start_run(**FACTS, seed=2, settings={})
    assert "the process died" in cove("runs", "list")


def test_models_are_listed_activated_and_rolled_back(registry, tmp_path, cove) -> None:
    first, second = (write_manifest(tmp_path / str(seed), seed) for seed in range(2))
    listed = json.loads(cove("models", "list", "--json"))
    assert [(model["id"], model["active"]) for model in listed] == [(second, False), (first, False)]
    assert f"{first} is the active model" in cove("models", "activate", first)
    assert f"{second} is the active model" in cove("models", "activate", second[:12])
    assert f"{first} is the active model" in cove("models", "rollback")
    assert f"no model was active before {first}" in cove("models", "rollback")
    lines = cove("models", "list").splitlines()
    assert [line.split()[0] == "*" for line in lines[1:]] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("runs", "show", "nope"), "there is no run 'nope'"),
        (("runs", "compare", "one"), "compare needs two runs or more: got one"),
        (("runs", "list", "--state", "lost"), "state must be one of queued, running"),
        (("models", "activate", "nope"), "there is no model 'nope'; the closest: fans-"),
        (("models", "rollback"), "no model has been active"),
        (("models", "rollback", "--task", "x"), "must be one of list_completion: got x"),
        (("db", "upgrade", "--revision", "9999"), "cannot be migrated"),
        (("db", "downgrade", "9999"), "cannot be migrated"),
        (("runs", "list", "--artifacts", "/no/such"), "there is no folder /no/such"),
        (("db", "upgrade", "--artifacts", "/no/such"), "there is no folder /no/such"),
    ],
)
def test_a_mistake_gives_one_sentence_and_status_2(
    registry: Registry, cove, arguments: tuple[str, ...], sentence: str
) -> None:
    registry.add_model(make_manifest(0), Path("there"))
    assert sentence in cove(*arguments)


def test_a_bad_address_gives_one_sentence_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cove
) -> None:
    monkeypatch.setenv("COVE_DATABASE_URL", "nonsense")
    for arguments in (("runs", "list"), ("models", "list"), ("db", "upgrade")):
        assert "the database address must be like" in cove(*arguments)


def test_the_schema_goes_down_and_up(registry: Registry, runs: list[str], cove) -> None:
    assert "is at base" in cove("db", "downgrade", "base")
    assert "is at head" in cove("db", "upgrade")
    assert json.loads(cove("runs", "list", "--json")) == []


def test_listing_runs_does_not_load_torch() -> None:
    code = "import sys, training.commands.runs, training.commands.db; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
