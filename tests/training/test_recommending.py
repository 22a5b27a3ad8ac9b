"""Recommendations offline: one user, all users as a file, and what is refused."""

import json
import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch

from cove.artifact import Artifact, Manifest, read_artifact
from cove.errors import DataError
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, Vocabulary
from tests.training.worlds import run_at
from training import recommending
from training.cli import main
from training.measure import complete_offline
from training.recommending import recommend_offline, write_recommendations
from training.resolving import resolve

NUM_USERS, NUM_ITEMS = 25, 40


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of a run on users of two groups, each with 8 to 12 items of its own group."""
    root = tmp_path_factory.mktemp("preferences")
    draw = random.Random(0)
    rows = [
        f"{user},{item * 2 + user % 2},{time}"
        for user in range(100, 100 + NUM_USERS)
        for time, item in enumerate(draw.sample(range(NUM_ITEMS // 2), draw.randint(8, 12)))
    ]
    file = root / "ratings.csv"
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    values = {"epochs": 2, "dimensions": 8, "batch_size": 32, "core": 1}
    settings = resolve("bprmf", str(file), (6,), 0, values, user_code_sizes=(5, 2))
    run_at(root / "model", settings)
    return root / "model"


@pytest.fixture(scope="module")
def artifact(place: Path) -> Artifact:
    return read_artifact(place)


def seen_of(artifact: Artifact, row: int) -> set:
    assert artifact.users is not None
    assert artifact.users.seen is not None
    return {artifact.items.vocabulary.ids[each] for each in artifact.users.seen.of(row)}


def without_seen(artifact: Artifact) -> Artifact:
    assert artifact.users is not None
    return replace(artifact, users=replace(artifact.users, seen=None))


def test_a_run_keeps_the_training_items_of_each_user(artifact: Artifact) -> None:
    assert artifact.users is not None
    assert artifact.users.seen is not None
    assert torch.equal(artifact.users.seen.starts.diff(), artifact.users.popularity)
    assert len(artifact.users.seen.items) == artifact.manifest.counts["train_interactions"]
    for row, user in enumerate(artifact.users.vocabulary.ids):
        assert {item % 2 for item in seen_of(artifact, row)} == {int(user) % 2}


def test_a_user_gets_the_best_of_what_was_not_seen(artifact: Artifact) -> None:
    assert artifact.users is not None
    answer = recommend_offline(artifact, "103", 5)
    assert (answer["user"], answer["known_user"], answer["source"]) == (103, True, "model")
    assert (answer["seen"], answer["model"]) == ("left_out", artifact.manifest.id)
    recommender = artifact.load_recommender()
    assert isinstance(recommender, PreferenceModel)
    row = artifact.users.vocabulary.ids.index(103)
    scores = recommender.score_all(torch.tensor([row + NUM_SPECIAL]))[0].tolist()
    best = sorted(zip(scores, artifact.items.vocabulary.ids, strict=True), reverse=True)
    unseen = [(item, score) for score, item in best if item not in seen_of(artifact, row)]
    assert [(each["item"], each["score"]) for each in answer["items"]] == unseen[:5]
    assert all(len(each["codes"]) == 1 for each in answer["items"])
    everything = recommend_offline(without_seen(artifact), "103", 1000)
    assert everything["seen"] == "not_kept"
    assert len(everything["items"]) == len(artifact.items.vocabulary)


def test_an_unknown_user_gets_the_most_popular(artifact: Artifact) -> None:
    answer = recommend_offline(artifact, "nobody", 4)
    assert (answer["user"], answer["known_user"]) == ("nobody", False)
    assert answer["source"] == "popularity"
    counts = artifact.items.popularity.sort(descending=True).values
    assert [each["score"] for each in answer["items"]] == counts[:4].tolist()


@pytest.mark.parametrize("scores_at_once", [1, 3 * NUM_ITEMS, 1 << 24])
def test_the_file_of_all_users_holds_what_single_calls_give(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores_at_once: int
) -> None:
    monkeypatch.setattr(recommending, "_SCORES_AT_ONCE", scores_at_once)
    path = tmp_path / "deep" / "all.parquet"
    written = write_recommendations(artifact, 30, path)
    table = pl.read_parquet(path)
    assert dict(table.schema) == {
        "user_id": pl.Int64, "item_id": pl.Int64, "rank": pl.Int32, "score": pl.Float32,
    }  # fmt: skip
    assert [each.name for each in path.parent.iterdir()] == ["all.parquet"]
    assert written["rows"] == len(table)
    assert written["users"] == NUM_USERS
    assert artifact.users is not None
    users = artifact.users.vocabulary.ids
    assert table["user_id"].unique(maintain_order=True).to_list() == users
    for user, rows in table.group_by("user_id"):
        single = recommend_offline(artifact, str(user[0]), 30)["items"]
        assert rows["item_id"].to_list() == [each["item"] for each in single]
        assert rows["score"].to_list() == pytest.approx(
            [each["score"] for each in single], abs=1e-7
        )
        assert rows["rank"].to_list() == list(range(1, len(single) + 1))
        unseen = len(artifact.items.vocabulary) - len(seen_of(artifact, users.index(user[0])))
        assert len(single) == min(30, unseen)


def test_no_more_scores_are_made_at_once_than_the_bound(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, made = 4 * len(artifact.items.vocabulary) + 1, []
    monkeypatch.setattr(recommending, "_SCORES_AT_ONCE", most)
    whole = PreferenceModel.score_all

    def counted(self: PreferenceModel, users: torch.Tensor) -> torch.Tensor:
        scores = whole(self, users)
        made.append(scores.numel())
        return scores

    monkeypatch.setattr(PreferenceModel, "score_all", counted)
    write_recommendations(artifact, 3, tmp_path / "all.parquet")
    assert max(made) <= most
    assert sum(made) == NUM_USERS * len(artifact.items.vocabulary)


def test_ids_that_are_not_all_integers_are_text(artifact: Artifact, tmp_path: Path) -> None:
    ids = [*artifact.items.vocabulary.ids[:-1], "007"]
    mixed = replace(artifact, items=replace(artifact.items, vocabulary=Vocabulary(ids)))
    write_recommendations(mixed, 2, tmp_path / "all.parquet")
    table = pl.read_parquet(tmp_path / "all.parquet")
    assert (table.schema["user_id"], table.schema["item_id"]) == (pl.Int64, pl.String)
    assert set(table["item_id"]) <= {str(each) for each in ids}


def test_a_failure_leaves_the_old_file_and_nothing_else(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    path.write_text("old")
    assert artifact.users is not None
    broken = replace(
        artifact, users=replace(artifact.users, table=artifact.users.table * torch.nan)
    )
    with pytest.raises(DataError, match="gives no number for a user"):
        write_recommendations(broken, 3, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match=r"must end in \.parquet: got .*all\.csv"):
        write_recommendations(artifact, 3, tmp_path / "all.csv")
    with pytest.raises(DataError, match="cannot be written"):
        write_recommendations(artifact, 3, path / "all.parquet")


def test_another_task_is_refused_with_the_way_that_works(
    artifact: Artifact, place: Path, unbroken: tuple[Path, Manifest], tmp_path: Path
) -> None:
    lists = read_artifact(unbroken[0])
    wanted = "is for list_completion and recommends to no users: name a list with --items"
    with pytest.raises(DataError, match=wanted):
        recommend_offline(lists, "1", 3)
    with pytest.raises(DataError, match=wanted):
        write_recommendations(lists, 3, tmp_path / "all.parquet")
    with pytest.raises(DataError, match="completes no lists: name a --user"):
        complete_offline(place, ["1"], 3)


def test_the_command_answers_for_a_user_and_for_all(
    place: Path, artifact: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recommend", str(place), "--user", "104", "--k", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == recommend_offline(artifact, "104", 3)
    assert main(["recommend", str(place), "--user", "nobody", "--k", "3"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert shown.err == "cove: not in the model: nobody; the most popular items\n"
    path = tmp_path / "all.parquet"
    call = ["recommend", str(place), "--all-users", "--k", "2", "--output", str(path)]
    assert main(call) == 0
    assert capsys.readouterr().out == f"{2 * NUM_USERS} rows for {NUM_USERS} users in {path}\n"
    assert main([*call, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2 * NUM_USERS
    assert len(pl.read_parquet(path)) == 2 * NUM_USERS
