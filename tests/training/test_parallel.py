"""Two processes train what one does: losses, weights, codes; one of them writes; failures are said
once."""

import subprocess
from pathlib import Path

import pytest
import torch

from cove.artifact import Artifact, read_artifact
from tests.training.parallel_runs import (
    RUNS,
    SHARDED,
    SHARDED_RUNS,
    broken_off,
    run,
    settings_of,
    write_data,
)
from tests.training.torchrun import WORKER, torchrun
from tests.training.worlds import open_at
from training.train import Place

pytestmark = pytest.mark.slow
LOSSES = {"loss", "quantization_loss", "code_prediction_loss"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs, by one process and by two; those that two took over from one, and one
    that two broke off."""
    folder = tmp_path_factory.mktemp("parallel")
    write_data(folder)
    for form in ("evolving", "evolving" + SHARDED):
        broken_off(form, folder, folder / "resumed" / form)
    for recommender, form in RUNS:
        run(recommender, form, folder, folder / "one" / f"{recommender}-{form}")
    done = torchrun(*WORKER, "runs", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def losses(artifact: Artifact, folder: Path) -> list[float]:
    registry = open_at(folder)
    found = registry.run_metrics(str(artifact.manifest.run_id))
    registry.close()
    return [each.value for each in found if each.name in LOSSES]


@pytest.mark.parametrize(("recommender", "form"), RUNS | SHARDED_RUNS)
def test_two_processes_have_the_loss_curve_and_the_weights_of_one(
    runs: Path, recommender: str, form: str
) -> None:
    of_one, of_two = (f"{recommender}-{each}" for each in (form.removesuffix(SHARDED), form))
    sides = [runs / "one" / of_one, runs / "two" / of_two]
    one, two = (read_artifact(side) for side in sides)
    curves = [losses(read_artifact(side), side.parent) for side in sides]
    assert len(curves[0]) == 9  # three epochs of three losses
    assert curves[1] == pytest.approx(curves[0], rel=1e-4, abs=1e-6)
    assert one.weights.keys() == two.weights.keys()
    for name, weight in one.weights.items():
        torch.testing.assert_close(two.weights[name], weight, rtol=1e-3, atol=1e-4)


def test_all_processes_hold_the_same_weights_and_codes(runs: Path) -> None:
    for recommender, form in RUNS | SHARDED_RUNS:
        first, second = (
            torch.load(runs / f"{recommender}-{form}-{rank}.pt", weights_only=True)
            for rank in range(2)
        )
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_codes_are_revived_alike(runs: Path) -> None:
    revived = []
    for run_of in ("one/bprmf-evolving", "two/bprmf-evolving", "two/bprmf-evolving-sharded"):
        artifact = read_artifact(runs / run_of)
        registry = open_at((runs / run_of).parent)
        metrics = registry.run_metrics(str(artifact.manifest.run_id))
        registry.close()
        revived.append([each.value for each in metrics if each.name == "codes_revived"])
    assert sum(revived[0]) > 0
    assert revived == [revived[0]] * 3


@pytest.mark.parametrize("form", ["evolving", "evolving" + SHARDED])
def test_a_run_of_one_process_goes_on_with_two(runs: Path, form: str) -> None:
    check_resumed(runs, runs / "resumed" / form)


def test_a_run_of_two_with_sharded_tables_goes_on_with_one(runs: Path) -> None:
    output = runs / "shared" / "model"
    (epoch,) = Place(None, output).checkpoint.iterdir()
    written = {each.name[:11] for each in epoch.glob("*.safetensors")}
    assert written == {"shard-00001", "shard-00002"}
    run("bprmf", "evolving", runs, output)
    check_resumed(runs, output)


def check_resumed(runs: Path, output: Path) -> None:
    """The run broken off after an epoch has the losses and weights of the whole one."""
    resumed, whole = read_artifact(output), read_artifact(runs / "one" / "bprmf-evolving")
    curve, wanted = losses(resumed, output.parent), losses(whole, runs / "one")
    assert curve == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    for name, weight in whole.weights.items():
        torch.testing.assert_close(resumed.weights[name], weight, rtol=1e-3, atol=1e-4)


def test_one_process_alone_registers_and_writes(runs: Path) -> None:
    registry = open_at(runs / "two")
    found = registry.list_runs()
    registry.close()
    assert [each.state for each in found] == ["finished"] * len(RUNS | SHARDED_RUNS)
    assert sorted(path.name for path in (runs / "two").glob(".*")) == []
    assert sorted(path.name for path in runs.glob("done-*")) == ["done-0", "done-1"]


def command(folder: Path, *more: str) -> list[str]:
    settings = settings_of("bprmf", "evolving", folder)
    output = str(folder / "command" / "model")
    start = ["-m", "training.cli", "train", settings.recommender, "--data", settings.data]
    return [*start, "--output", output, "--device", "cpu", "--set", "epochs=2", *more]


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("cove: ")]


def test_the_command_trains_under_torchrun(runs: Path) -> None:
    done = torchrun(*command(runs, "--json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"id"') == 1
    assert (runs / "command" / "model" / "manifest.json").exists()


def test_what_stops_all_processes_is_said_once(runs: Path) -> None:
    done = torchrun(*command(runs, "--overwrite", "--set", "learning_rate=1e30"))
    assert done.returncode != 0
    (sentence,) = said(done)
    assert "the loss is not a number any more" in sentence


DIES = """
import os, signal, sys
from training import loop
from training.cli import main
revive, rank = loop.revive, int(os.environ["RANK"])
def dies(*arguments):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return revive(*arguments)
loop.revive = dies
sys.exit(main(sys.argv[1:]))
"""


def test_a_process_that_dies_ends_the_run_and_leaves_no_artifact(
    runs: Path, tmp_path: Path
) -> None:
    script = tmp_path / "dies.py"
    script.write_text(DIES)
    output = tmp_path / "model"
    arguments = command(runs)[2:]
    arguments[arguments.index("--output") + 1] = str(output)
    done = torchrun(str(script), *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert all("another process of this run stopped" in line for line in said(done))
    assert len(said(done)) <= 1  # torchrun may end the others before they can say so
    assert not output.exists()
