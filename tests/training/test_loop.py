"""The loop: learning rate, early stopping, the best weights, warnings."""

from pathlib import Path

import pytest
import torch

from cove.quantization import QuantizerSettings
from tests.training.scripted import Scripted, objective, plan
from tests.training.worlds import Watcher
from training.loop import entity_code_use, seed_everything, train


def test_the_weights_of_the_best_epoch_are_left_loaded(tmp_path: Path) -> None:
    model, task = objective(), Scripted([0.1, 0.4, 0.2, 0.3])
    progress = train(model, task, plan(tmp_path, epochs=4), Watcher())
    assert (progress.epoch, progress.best_epoch, progress.best) == (4, 2, 0.4)
    kept = model.recommender.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in task.weights[1].items())
    assert not torch.equal(kept["items.weight"], task.weights[3]["items.weight"])
    assert not model.training


def test_an_equal_result_is_no_better_one(tmp_path: Path) -> None:
    progress = train(objective(), Scripted([0.1] * 3), plan(tmp_path, epochs=3), Watcher())
    assert progress.best_epoch == 1


def test_training_stops_after_patience_without_a_better_result(tmp_path: Path) -> None:
    watcher = Watcher()
    task = Scripted([0.1, 0.2, 0.1, 0.1, 0.9, 0.9])
    train(objective("bert4rec"), task, plan(tmp_path, patience=2), watcher)
    assert watcher.epochs == [1, 2, 3, 4]


def test_a_curriculum_is_run_to_its_last_step_before_patience_counts(tmp_path: Path) -> None:
    watcher = Watcher()
    task = Scripted([0.9] + [0.1] * 5)
    train(objective(curriculum_steps=3), task, plan(tmp_path, patience=1), watcher)
    assert watcher.epochs == [1, 2, 3, 4, 5]  # steps last two epochs: the last begins at the fifth


def test_a_stopped_run_that_is_resumed_stays_stopped(tmp_path: Path) -> None:
    first = objective("bert4rec")
    train(first, Scripted([0.2, 0.1, 0.1]), plan(tmp_path, patience=2), Watcher())
    again, watcher = objective("bert4rec"), Watcher()
    train(again, Scripted([]), plan(tmp_path, patience=2), watcher)
    assert watcher.epochs == []
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_each_seed_and_epoch_draws_its_own_numbers() -> None:
    drawn = set()
    for seed in range(3):
        for epoch in range(4):
            seed_everything(seed, epoch)
            drawn.add(float(torch.rand(1, dtype=torch.float64)))
    assert len(drawn) == 12


def test_an_epoch_says_losses_validation_and_code_use(tmp_path: Path) -> None:
    model = objective(quantizer=QuantizerSettings(code_sizes=(5, 2), initialization="sample"))
    progress = train(model, Scripted([0.3]), plan(tmp_path, epochs=1), Watcher())
    (values,) = progress.history
    assert values.keys() == {
        "loss", "quantization_loss", "code_prediction_loss", "valid_ndcg_at_10", "seconds",
        "codes_used_level_1", "codes_used_level_2", "perplexity_level_1", "perplexity_level_2",
        "codes_revived",
    }  # fmt: skip
    assert values["valid_ndcg_at_10"] == 0.3
    assert 1 <= values["perplexity_level_1"] <= 5
    assert values["code_prediction_loss"] > 0


def test_codebooks_wait_for_their_warm_up(tmp_path: Path) -> None:
    waiting = QuantizerSettings(code_sizes=(5, 2), initialization="kmeans", warmup_epochs=2)
    model = objective(quantizer=waiting)
    assert entity_code_use(model.recommender.items) == []
    progress = train(model, Scripted([0.1, 0.2, 0.3]), plan(tmp_path, epochs=3), Watcher())
    started = ["codes_used_level_1" in values for values in progress.history]
    assert started == [False, False, True]
    losses = [values["quantization_loss"] > 0 for values in progress.history]
    assert losses == [False, False, True]


def test_weights_from_before_the_codes_are_no_result(tmp_path: Path) -> None:
    waiting = QuantizerSettings(code_sizes=(5, 2), initialization="kmeans", warmup_epochs=2)
    model, task = objective(quantizer=waiting), Scripted([0.9, 0.8, 0.2, 0.3])
    progress = train(model, task, plan(tmp_path, epochs=4, patience=1), Watcher())
    assert (progress.epoch, progress.best_epoch, progress.best) == (4, 4, 0.3)
    assert model.recommender.items.codes().shape == (20, 2)


def test_a_collapsed_level_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collapsing = QuantizerSettings(code_sizes=(15, 2), initialization="sample", revival_interval=0)
    model = objective(quantizer=collapsing)
    one_code = torch.zeros((20, 2), dtype=torch.int64)
    monkeypatch.setattr(model.recommender.items, "codes", lambda: one_code)
    watcher = Watcher()
    train(model, Scripted([0.1]), plan(tmp_path, epochs=1), watcher)
    assert watcher.warnings == [
        "level 1 of the items has collapsed: all items together use 1 of its 15 codes"
    ]
