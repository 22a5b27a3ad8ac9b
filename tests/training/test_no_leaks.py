"""No test list touches training: whatever the held-out lists hold, training sees the same.

The filter is the one thing that looks at all lists, before the split (FANS' preprocessing); it
says which items there are, and is not part of these tests.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cove.artifact import read_artifact
from cove.recommenders import build_recommender
from cove.vocabulary import ExternalId
from tests.training.worlds import Watcher, open_at, small_settings
from training.categories import give_categories
from training.datasets import ListFilter, load_lists
from training.datasets.splitting import split_lists
from training.datasets.tables import ListData
from training.paper.baseline_runs import candidates
from training.paper.list_rows import baselines
from training.tasks.list_completion import ListCompletion, prepare
from training.train import Place, run_training

ITEMS = 30
lists_of_items = st.lists(st.lists(st.integers(0, ITEMS - 1), min_size=4, max_size=9),
                          min_size=20, max_size=30)  # fmt: skip
anything = st.lists(
    st.one_of(st.integers(-5, 2 * ITEMS), st.text(max_size=3)), min_size=2, max_size=12
)


def data_of(lists: list[list[Any]]) -> ListData:
    return ListData("made", lists, list(range(len(lists))), None, None, "0" * 64)


def with_others(data: ListData, rows: list[int], others: list[list[ExternalId]]) -> ListData:
    """The same data with the lists at `rows` replaced."""
    lists = list(data.lists)
    for number, row in enumerate(rows):
        lists[row] = others[number % len(others)]
    return data_of(lists)


def parts_of(completer: object) -> dict[str, Tensor]:
    """Every tensor that a baseline has learned."""
    return {k: v for k, v in vars(completer).items() if isinstance(v, Tensor)}


def two_stage_categories(task: ListCompletion) -> Tensor:
    small = {"dimensions": 16, "layers": 1, "heads": 2, "clusters": 3}
    made = build_recommender("fans_two_stage", small, len(task.vocabulary), None)
    give_categories(made, task, 0, pytest.fail)
    assert isinstance(made.categories, Tensor)
    return made.categories


@settings(max_examples=20)
@given(lists_of_items, st.lists(anything, min_size=1, max_size=5), st.integers(0, 50))
def test_held_out_lists_change_neither_vocabulary_nor_popularity_nor_any_baseline(
    lists: list[list[int]], others: list[list[ExternalId]], seed: int
) -> None:
    data = data_of(lists)
    splits = split_lists(len(lists), seed)
    changed = with_others(data, splits.valid + splits.test, others)
    task, other = prepare(data, seed), prepare(changed, seed)
    assert other.vocabulary.ids == task.vocabulary.ids
    assert torch.equal(other.popularity(), task.popularity())
    assert torch.equal(other.train.flat, task.train.flat)
    for name in (row.name for row in baselines()):
        pairs = zip(*(candidates(name, t, torch.device("cpu")) for t in (task, other)), strict=True)
        for (_, one), (_, same) in pairs:
            learned, again = parts_of(one), parts_of(same)
            assert learned
            for part, values in learned.items():
                assert torch.equal(_dense(again[part]), _dense(values)), (name, part)


def _dense(values: Tensor) -> Tensor:
    return values.to_dense() if values.is_sparse else values


@given(st.integers(3, 500), st.integers(0, 1000))
def test_no_list_is_in_two_splits_and_none_is_lost(num_lists: int, seed: int) -> None:
    splits = split_lists(num_lists, seed)
    assert sorted([*splits.train, *splits.valid, *splits.test]) == list(range(num_lists))


def test_no_test_list_is_among_those_that_training_holds(tiny: Path) -> None:
    # Each list gets an item of its own, so that it can be told apart wherever it goes.
    data = load_lists(str(tiny), None, ListFilter(min_count=1))
    marked = data_of([[*one, f"list {row}"] for row, one in enumerate(data.lists)])
    task, splits = prepare(marked, 5), split_lists(len(marked.lists), 5)
    marks = {item for item in task.vocabulary.ids if isinstance(item, str)}
    assert marks == {f"list {row}" for row in splits.train}
    assert len(task.train) == len(splits.train)


def test_held_out_lists_do_not_change_the_categories_of_the_two_stage_fans(tiny: Path) -> None:
    data = load_lists(str(tiny), None, ListFilter(min_count=1))
    splits = split_lists(len(data.lists), 0)
    changed = with_others(data, splits.valid + splits.test, [[1, 41, 1, 41, "new"]])
    categories = two_stage_categories(prepare(data, 0))
    assert torch.equal(two_stage_categories(prepare(changed, 0)), categories)


@pytest.mark.parametrize("recommender", ["fans", "fans_two_stage"])
def test_other_test_lists_give_the_same_trained_weights(
    tiny: Path, tmp_path: Path, recommender: str
) -> None:
    own = {"clusters": 4} if recommender == "fans_two_stage" else {}
    run = small_settings(tiny, 0, recommender, epochs=2, **own)
    data = load_lists(str(tiny), None, run.filter)
    test = split_lists(len(data.lists), 0).test
    found = []
    for name, lists in (("as is", data), ("changed", with_others(data, test, [[1, 41, "new"]]))):
        with open_at(tmp_path) as registry:
            run_training(run, Place(None, tmp_path / name, "cpu"), registry, Watcher(), lists)
        found.append(read_artifact(tmp_path / name))
    one, other = found
    assert one.weights.keys() == other.weights.keys()
    assert all(torch.equal(other.weights[name], values) for name, values in one.weights.items())
    assert torch.equal(other.items.codes, one.items.codes)
    assert one.manifest.metrics["valid"] == other.manifest.metrics["valid"]
    assert one.manifest.metrics["test"] != other.manifest.metrics["test"]
