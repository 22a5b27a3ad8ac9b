"""The linear part of a bag: EASE's own weights, as strong as validation wants them."""

from pathlib import Path

import pytest
import torch

from cove.artifact import read_artifact
from cove.batches import ListBatch, pad_lists
from cove.errors import SettingsError
from cove.recommenders.bag import Bag, BagSettings
from cove.vocabulary import NUM_SPECIAL
from tests.training.worlds import planted_file, run_at
from training.datasets import ListFilter, load_lists
from training.evaluation.baselines import Ease
from training.linear_part import SCALES, add_linear_part, wants_linear_part
from training.resolving import resolve
from training.tasks.list_completion import ListCompletion, prepare


@pytest.fixture
def task(tmp_path: Path) -> ListCompletion:
    return prepare(load_lists(str(planted_file(tmp_path)), None, ListFilter(min_count=1)), 0)


def untrained(task: ListCompletion, **settings: object) -> Bag:
    torch.manual_seed(0)
    return Bag(BagSettings(dimensions=4, **settings), len(task.vocabulary)).eval()


def test_the_weights_are_ease_s_and_the_scale_the_best_in_validation(task: ListCompletion) -> None:
    made = untrained(task, linear=True, linear_regularization=20.0)
    add_linear_part(made, task)
    expected = Ease(task.train.lists(), len(task.vocabulary), 20.0).weights[:, NUM_SPECIAL:]
    assert torch.equal(made.linear_weights, expected)
    chosen, by_scale = float(made.linear_scale), {}
    for scale in SCALES:
        made.set_linear_part(expected, scale)
        by_scale[scale] = task.evaluate(made, "valid")[task.selection_metric]
    assert chosen == max(SCALES, key=lambda scale: by_scale[scale])
    assert by_scale[chosen] > by_scale[0.0]  # EASE knows the planted groups, the new bag nothing


def test_without_the_setting_nothing_is_added(task: ListCompletion) -> None:
    made = untrained(task)
    before = dict(made.state_dict())
    add_linear_part(made, task)
    assert made.state_dict().keys() == before.keys()


def test_too_many_items_are_refused_before_training(
    task: ListCompletion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ease, "MOST_ITEMS", 79)
    with pytest.raises(SettingsError, match="takes at most 79: got 80"):
        wants_linear_part(untrained(task, linear=True))
    assert not wants_linear_part(untrained(task))


def test_a_trained_bag_keeps_its_linear_part_in_the_artifact(tmp_path: Path) -> None:
    file = planted_file(tmp_path)
    values = {"dimensions": 8, "epochs": 1, "min_count": 1, "linear": True}
    manifest = run_at(tmp_path / "made", resolve("bag", str(file), None, 0, values))
    model = read_artifact(tmp_path / "made").load_recommender()
    task = prepare(load_lists(str(file), None, ListFilter(min_count=1)), 0)
    assert isinstance(model, Bag)
    assert len(model.linear_weights) == NUM_SPECIAL + manifest.num_items
    assert task.test_metrics(model)[0] == pytest.approx(manifest.metrics["test"])
    given = ListBatch(pad_lists([[4, 5]]), torch.zeros(1, 0).long())
    assert model.complete(given, 3)[0].shape == (1, 3)
