"""Click-through rate from samples to an artifact: splits, unknown ids, metrics, runs."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cove.artifact import Manifest, read_artifact
from cove.errors import CoveError, DataError, SettingsError
from cove.recommenders.clicks import ClickScorer
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.training.worlds import Watcher, click_settings, planted_clicks, run_at
from training.cli import main
from training.datasets import ClickData, load_clicks
from training.measure import complete_offline, measure_again
from training.resolving import resolve
from training.tasks.click_through import ClickThrough, prepare_clicks

GOLDEN_LOSSES = [0.7097876, 0.5996691, 0.4308093]
"""Per epoch, of seed 0."""


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted_clicks(tmp_path_factory.mktemp("clicks"))


@pytest.fixture(scope="module")
def trained(
    clicks: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Manifest, list[dict[str, float]]]:
    output = tmp_path_factory.mktemp("trained") / "model"
    watcher = Watcher()
    values: list[dict[str, float]] = []
    watcher.epoch = lambda epoch, each: values.append(each)  # type: ignore[method-assign]
    return output, run_at(output, click_settings(clicks), watcher), values


def data(users: list[int], items: list[int], labels: list[int], **changes: object) -> ClickData:
    count = len(labels)
    content = {
        "name": "made",
        "user_ids": [f"u{n}" for n in range(max(users) + 1)],
        "item_ids": list(range(100, 101 + max(items))),
        "users": np.array(users),
        "items": np.array(items),
        "labels": np.array(labels, dtype=np.uint8),
        "timestamps": np.arange(count, dtype=np.float64),
        "training_only": None,
        "titles": None,
        "categories": None,
        "sha256": "0",
    }
    return ClickData(**content | changes)  # type: ignore[arg-type]


def by_time() -> ClickThrough:
    """Ten samples in time: eight to train on, then one to validate, then the test's, whose item
    training has not seen."""
    made = data([0, 1] * 5, [0, 1, 1, 0, 0, 1, 1, 0, 1, 2], [1, 0, 0, 1, 1, 0, 1, 1, 0, 1])
    return prepare_clicks(made, 0, "time")


def test_by_time_the_last_tenth_is_tested_on_and_what_training_has_not_seen_is_pad() -> None:
    task = by_time()
    assert (len(task.train), len(task.valid), len(task.test)) == (8, 1, 1)
    assert task.items.ids == [100, 101]
    assert task.users.ids == ["u0", "u1"]
    assert task.test.items.tolist() == [PAD]
    assert task.test.users.tolist() == [NUM_SPECIAL + 1]
    assert task.test.owners.tolist() == [1]
    assert task.counts()["test_samples_unknown"] == 1


def test_samples_for_training_only_are_all_in_training() -> None:
    only = np.array([False] * 10 + [True] * 5)
    made = data(list(range(15)), [0] * 15, [1, 0] * 7 + [1], training_only=only)
    for seed in range(3):
        task = prepare_clicks(made, seed, "random")
        assert set(range(10, 15)) <= set(task.train.owners.tolist())
        assert (len(task.valid), len(task.test)) == (1, 1)


def test_an_epoch_holds_every_training_sample_once_in_batches_alike_in_size(clicks: Path) -> None:
    task = prepare_clicks(load_clicks(str(clicks)), 0, "random")
    batches = list(task.batches(100, torch.Generator().manual_seed(0)))
    assert [len(batch.labels) for batch in batches] == [96] * 5
    found = sorted(
        pair
        for batch in batches
        for pair in zip(
            batch.users.tolist(), batch.items.tolist(), batch.labels.tolist(), strict=True
        )
    )
    train = task.train
    assert found == sorted(
        zip(train.users.tolist(), train.items.tolist(), train.labels.tolist(), strict=True)
    )


class Known(ClickScorer):
    """Scores a pair by its item's index."""

    def __init__(self) -> None:
        super().__init__(1, 2, 2, None, None)

    def interact(self, users, items, user, item):  # type: ignore[no-untyped-def]
        return items.float()


def test_metrics_of_a_split_are_those_of_its_scores() -> None:
    made = data([0, 1] * 20, [0, 1, 1, 0] * 10, [1, 0, 0, 0, 1, 1, 0, 1] * 5)
    task = prepare_clicks(made, 0, "time")
    test = task.test
    # An item's score is its index: of two samples the one with the second item comes first.
    metrics, by_user = task.test_metrics(Known())
    scores, labels = test.items.double(), test.labels.double()
    assert metrics["log_loss"] == pytest.approx(
        float((torch.log1p(scores.exp()) - labels * scores).mean())
    )
    pairs = [(a, b) for a in range(len(test)) for b in range(len(test)) if labels[a] > labels[b]]
    wins = [float(scores[a] > scores[b]) + 0.5 * float(scores[a] == scores[b]) for a, b in pairs]
    assert metrics["auc"] == pytest.approx(sum(wins) / len(wins))
    assert len(by_user["user_auc"]) == len(made.user_ids)


def test_the_baseline_is_each_items_click_rate_drawn_to_the_whole() -> None:
    task = by_time()
    # Training: item 100 was shown 4 times and clicked each time, 101 4 times and once; 5 of 8 in
    # all. With ten samples at that rate: (4 + 6.25) / 14 and (1 + 6.25) / 14; the test item is
    # not known, so it has the rate of the whole.
    found = task.baseline_metrics()["test_item_click_rate"]
    assert found["log_loss"] == pytest.approx(-math.log(5 / 8))
    assert "auc" not in found  # one sample has one label


def test_the_losses_of_a_seed_are_the_recorded_ones(
    trained: tuple[Path, Manifest, list[dict[str, float]]],
) -> None:
    assert [each["loss"] for each in trained[2]] == pytest.approx(GOLDEN_LOSSES, rel=1e-4)


def test_the_artifact_holds_users_and_items_with_their_codes(
    trained: tuple[Path, Manifest, list[dict[str, float]]], clicks: Path
) -> None:
    output, manifest, _ = trained
    artifact = read_artifact(output)
    task = prepare_clicks(load_clicks(str(clicks)), 0, "random")
    assert manifest.task == "click_through"
    assert artifact.users is not None
    assert artifact.items.vocabulary.ids == task.items.ids
    assert artifact.users.vocabulary.ids == task.users.ids
    assert (artifact.items.codes.shape[1], artifact.users.codes.shape[1]) == (1, 2)
    assert {name: [use.size for use in levels] for name, levels in manifest.code_use.items()} == {
        "item": [6], "user": [5, 2],
    }  # fmt: skip
    clicked = task.train.users[task.train.labels > 0]
    assert artifact.users.popularity.sum() == len(clicked)
    assert manifest.metrics["test"]["auc"] > 0.6
    assert "COVE on items, code sizes 6 and COVE on users, code sizes 5, 2" in artifact.card


def test_a_loaded_model_scores_as_the_trained_one_did(
    trained: tuple[Path, Manifest, list[dict[str, float]]], clicks: Path
) -> None:
    output, manifest, _ = trained
    artifact = read_artifact(output)
    again = measure_again(artifact, clicks)
    assert again == pytest.approx(manifest.metrics["test"], abs=1e-6)
    loaded = artifact.load_recommender()
    assert all(entity.quantizer is None for entity in loaded.entities().values())
    means = {name: float(each.nanmean()) for name, each in artifact.evaluation.items()}
    assert means.items() <= {k: pytest.approx(v, abs=1e-6) for k, v in again.items()}.items()


def test_one_seed_gives_one_artifact_and_a_broken_run_goes_on_to_it(
    trained: tuple[Path, Manifest, list[dict[str, float]]], clicks: Path, tmp_path: Path
) -> None:
    _, manifest, _ = trained
    assert run_at(tmp_path / "again", click_settings(clicks)).hash == manifest.hash
    assert run_at(tmp_path / "other", click_settings(clicks, seed=1)).hash != manifest.hash
    with pytest.raises(RuntimeError, match="the power went"):
        run_at(tmp_path / "broken", click_settings(clicks), Watcher((2, None)))
    assert run_at(tmp_path / "broken", click_settings(clicks)).hash == manifest.hash


def test_row_sparse_tables_are_resumed_and_repeated_too(clicks: Path, tmp_path: Path) -> None:
    settings = click_settings(clicks, row_sparse="always")
    whole = run_at(tmp_path / "whole", settings)
    with pytest.raises(RuntimeError, match="the power went"):
        run_at(tmp_path / "broken", settings, Watcher((2, 3)))
    assert run_at(tmp_path / "broken", settings).hash == whole.hash
    assert whole.metrics["test"]["auc"] > 0.6


def test_fixed_codes_are_taken_for_users_and_items_alike(
    trained: tuple[Path, Manifest, list[dict[str, float]]], clicks: Path, tmp_path: Path
) -> None:
    output, manifest, _ = trained
    values = click_settings(clicks).training.model_dump() | {"dimensions": 8, "widths": [16]}
    settings = resolve("deepfm", str(clicks), (6,), 0, values, manifest.id, (5, 2))
    run_at(tmp_path / "fixed", settings, codes_from=output)
    made = read_artifact(tmp_path / "fixed")
    assert made.users is not None
    assert len(made.users.codes.unique(dim=0)) > 1


def test_what_does_not_fit_gets_one_sentence(
    trained: tuple[Path, Manifest, list[dict[str, float]]],
    clicks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, _, _ = trained
    with pytest.raises(DataError, match="is for click_through and completes no lists"):
        complete_offline(output, ["1"], 3)
    with pytest.raises(SettingsError, match="fans knows no users: --user-cove is not for lists"):
        resolve("fans", "aotm", None, 0, {}, user_code_sizes=(5,))
    form = {"form": "evolving"}
    too_many = resolve("deepfm", str(clicks), None, 0, form, user_code_sizes=(31,))
    with pytest.raises(SettingsError, match="must not exceed the 30 users of the training data"):
        run_at(tmp_path / "model", too_many)
    with pytest.raises(CoveError, match="has no embeddings that COVE could be on"):
        run_at(
            tmp_path / "model",
            resolve("logistic_regression", str(clicks), (5,), 0, {}),
        )
    call = ["train", "deepfm", "--data", "aotm", "--from", "DIR", "--output", str(tmp_path / "m")]
    assert main(call) == 2
    assert capsys.readouterr().err == "cove: the data set aotm holds lists, not clicks\n"


def test_settings_that_came_later_leave_the_fingerprint_of_a_list_run_alone() -> None:
    old = {"form": "evolving"}
    plain, aware = resolve("caser", "aotm", None, 0, {}), resolve("fans", "aotm", (500, 10), 0, old)
    assert plain.fingerprint("x").startswith("92c92cc9f5f2")  # of the version before clicks
    assert aware.fingerprint("x").startswith("e541fededde5")
    changed = resolve("fans", "aotm", (500, 10), 0, old | {"row_sparse": "never"})
    assert changed.fingerprint("x") != aware.fingerprint("x")


def test_samples_of_one_label_in_validation_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "few.csv"
    file.write_text(
        "user_id,item_id,label\n" + "".join(f"{n % 3},{n},{n % 2}\n" for n in range(12))
    )
    call = ["train", "logistic_regression", "--data", str(file), "--output", str(tmp_path / "m")]
    assert main(call) == 2
    errors = capsys.readouterr().err
    assert "the valid split has clicks alone, or none" in errors
    assert errors.count("\n") == 1


def test_codes_are_not_taken_from_a_model_that_may_know_the_test_samples(
    trained: tuple[Path, Manifest, list[dict[str, float]]], clicks: Path, tmp_path: Path
) -> None:
    output, manifest, _ = trained
    for changes in ({"seed": 1}, {"split": "time"}):
        seed, values = (1, {}) if "seed" in changes else (0, changes)
        settings = resolve("deepfm", str(clicks), None, seed, values, manifest.id, (5,))
        with pytest.raises(SettingsError, match="its codes may know this run's test data"):
            run_at(tmp_path / "model", settings, codes_from=output)


def test_probabilities_that_say_less_than_click_rates_are_warned_of(
    clicks: Path, tmp_path: Path
) -> None:
    sure, modest = Watcher(), Watcher()
    run_at(tmp_path / "sure", click_settings(clicks, learning_rate=1.0, warmup_steps=0), sure)
    run_at(tmp_path / "modest", click_settings(clicks, learning_rate=1e-5), modest)
    (warning,) = sure.warnings
    assert "the probabilities are worse than each item's click rate (log loss " in warning
    assert modest.warnings == []
