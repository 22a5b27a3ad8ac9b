"""Runs on a prepared folder: the weights of the run in memory, an artifact like any other."""

import json
import random
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cove.artifact import read_artifact
from cove.errors import CoveError
from tests.training.worlds import run_at
from training.cli import main
from training.commands.data import data_app
from training.datasets import load_data
from training.datasets.large import holding_out
from training.measure import measure_again
from training.parallel import Processes
from training.recommending import recommend_offline
from training.resolving import resolve
from training.tasks import prepare_task

SMALL: dict[str, object] = {"dimensions": 8, "epochs": 3, "batch_size": 33, "learning_rate": 0.01}


def planted(folder: Path) -> Path:
    """700 interactions of 40 users and 30 items in two groups, most within one; times rise."""
    draw = random.Random(0)
    lines = ["user_id,item_id,timestamp"]
    for time in range(700):
        user = draw.randrange(40)
        item = 2 * draw.randrange(15) + (user % 2 if draw.random() < 0.9 else 1 - user % 2)
        lines.append(f"u{user},{item},{time}")
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def prepare(*arguments: str) -> str:
    result = CliRunner().invoke(data_app, ["prepare", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def folder(file: Path) -> Path:
    output = file.parent / "prepared"
    prepare(str(file), "--output", str(output))
    return output


@pytest.mark.parametrize(
    ("recommender", "changes"),
    [
        ("bprmf", {}),
        ("bprmf", {"row_sparse": "always", "negatives": 2}),
        ("lightgcn", {"negative_sampling": "popularity"}),
    ],
)
@pytest.mark.parametrize("sizes", [None, (6, 2)])
def test_a_run_on_a_folder_gives_the_weights_of_the_run_in_memory(
    file: Path, folder: Path, tmp_path: Path, recommender: str, changes: dict, sizes: tuple | None
) -> None:
    made = []
    for source in (file, folder):
        settings = resolve(
            recommender, str(source), sizes, 0, SMALL | changes, user_code_sizes=sizes
        )
        output = tmp_path / source.stem
        made.append((run_at(output, settings), read_artifact(output)))
    (one, memory), (other, mapped) = made
    assert one.metrics.keys() == other.metrics.keys()
    for split, values in one.metrics.items():
        assert values == pytest.approx(other.metrics[split])
    assert one.counts == other.counts
    assert one.training["filter"] == other.training["filter"]
    assert memory.weights.keys() == mapped.weights.keys()
    assert all(torch.equal(memory.weights[k], mapped.weights[k]) for k in memory.weights)
    assert memory.users is not None
    assert mapped.users is not None
    assert memory.users.seen is not None
    assert mapped.users.seen is not None
    assert torch.equal(memory.users.seen.items, mapped.users.seen.items)
    assert one.data_sha256 != other.data_sha256


@pytest.fixture
def shards(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared folder of several shards."""
    monkeypatch.setattr(holding_out, "ROWS_IN_SHARD", 100)
    prepare(str(file), "--output", str(tmp_path / "prepared"), "--core", "3")
    return tmp_path / "prepared"


def test_many_shards_learn_as_well_and_the_artifact_is_like_any_other(
    shards: Path, tmp_path: Path
) -> None:
    values = SMALL | {"epochs": 20, "patience": 20}
    manifest = run_at(tmp_path / "model", resolve("bprmf", str(shards), None, 0, values))
    random_ndcg = 0.19  # ten of 30 items by chance, the held-out one among them
    assert manifest.metrics["test"]["ndcg_at_10"] > random_ndcg
    artifact = read_artifact(tmp_path / "model")
    assert artifact.manifest.training["filter"] == {"core": 3, "positive_from": None}
    answer = recommend_offline(artifact, "u3", 5)
    assert answer["known_user"]
    assert len(answer["items"]) == 5
    again = measure_again(artifact, shards)
    assert again == pytest.approx(manifest.metrics["test"])
    assert len(artifact.evaluation["ndcg_at_10"]) == manifest.counts["test_users"]


def test_every_process_draws_the_same_negatives_of_every_shard(shards: Path) -> None:
    settings = resolve("bprmf", str(shards), None, 0, SMALL)
    task = prepare_task(load_data(str(shards), None, settings.filter), 0, settings.task_options)
    drawn = []
    for rank in (0, 1):
        torch.manual_seed(5)
        generator = torch.Generator().manual_seed(5)
        found = []
        for batch in Processes(rank, 2).batches(task.batches(33, generator)):
            found.append([*map(torch.clone, batch)])
            torch.rand(3)  # what a recommender draws
        drawn.append([torch.cat(each) for each in zip(*found, strict=True)])
    assert len(drawn[0][0]) > 200, "there must be several shards"
    for one, other in zip(*drawn, strict=True):
        assert torch.equal(one, other)


def test_stats_of_a_folder_are_those_of_its_file(file: Path, folder: Path) -> None:
    counts = []
    for source in (file, folder):
        arguments = ["stats", str(source), "--kind", "interactions", "--json"]
        counts.append(json.loads(CliRunner().invoke(data_app, arguments).output))
    assert counts[0] == counts[1]


def test_the_command_tells_its_stages_and_what_it_made(file: Path, tmp_path: Path) -> None:
    shown = prepare(str(file), "--output", str(tmp_path / "made"), "--held-out-users", "5")
    assert f"reading {file}" in shown
    assert "holding out" in shown
    assert "interactions of 40 users and 30 items" in shown
    manifest = json.loads((tmp_path / "made" / "prepared.json").read_text())
    assert (manifest["held_out_users"], manifest["seed"]) == (5, 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["toys", "--output", "made"], "toys is a data set: make the file first"),
        (["pairs.csv", "--output", "made", "--kind", "lists"], "is for interactions alone"),
        (["pairs.csv", "--output", "made", "--min-count", "3"], "--min-count is for lists"),
        (["pairs.csv", "--output", "made.csv", "--seed", "3"], "are for a folder"),
        (["prepared", "--output", "made.csv"], "prepared is prepared already"),
    ],
)
def test_what_does_not_go_together_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(CoveError, match=reason):
        prepare(*arguments)
    assert not (folder.parent / "made").exists()


def test_another_filter_than_that_of_the_folder_is_refused_in_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "bprmf", "--data", str(folder), "--output", str(tmp_path / "model")]
    assert main([*arguments, "--set", "core=2"]) == 2
    assert "was prepared with positive_from=None, core=5" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_a_folder_is_found_from_another_with_its_own_filter(shards: Path, tmp_path: Path) -> None:
    call = ["train", "bprmf", "--data", shards.name, "--from", str(shards.parent)]
    assert main([*call, "--set", "epochs=1", "--output", str(tmp_path / "model")]) == 0
    manifest = read_artifact(tmp_path / "model").manifest
    assert manifest.training["filter"] == {"core": 3, "positive_from": None}


def test_columns_that_a_folder_does_not_keep_are_named(tmp_path: Path) -> None:
    lines = [f"{user},{item},Title {item}" for user in range(8) for item in range(8)]
    (tmp_path / "mine.csv").write_text("\n".join(["user_id,item_id,Title", *lines]))
    said = prepare(str(tmp_path / "mine.csv"), "--output", str(tmp_path / "made"))
    assert "does not keep title: where they are needed, train on the file" in said
    (tmp_path / "old.csv").write_text("user_id,item_id\r1,2\r3,4\r")
    with pytest.raises(CoveError, match="ends its lines as old Macs did"):
        prepare(
            str(tmp_path / "old.csv"), "--kind", "interactions", "--output", str(tmp_path / "x")
        )
