"""Categories from lists: planted groups are found, and test lists are not looked at."""

import builtins
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cove.artifact import read_artifact
from cove.errors import SettingsError
from cove.recommenders import build_recommender
from cove.vocabulary import NUM_SPECIAL
from tests.training.worlds import planted_file, run_at, small_settings
from training.categories import extract_categories, give_categories
from training.datasets import ListFilter, load_lists
from training.tasks.list_completion import ListCompletion, ListSet, prepare

GROUPS, SIZE = 4, 10


def planted(lists: int = 3000) -> list[list[int]]:
    """Lists of six items, each from one of four groups of ten."""
    draw = torch.Generator().manual_seed(0)
    return [
        (NUM_SPECIAL + number % GROUPS * SIZE + torch.randperm(SIZE, generator=draw)[:6]).tolist()
        for number in range(lists)
    ]


def task_of(folder: Path) -> ListCompletion:
    file = planted_file(folder)
    return prepare(load_lists(str(file), None, ListFilter(min_count=1)), 0)


def given_categories(task: ListCompletion, **settings: object) -> tuple[Tensor, list[str]]:
    small = {"dimensions": 16, "layers": 1, "heads": 2, "clusters": 4} | settings
    made = build_recommender("fans_two_stage", small, len(task.vocabulary), None)
    warnings: list[str] = []
    give_categories(made, task, 0, warnings.append)
    return made.categories, warnings


def with_other_tests(task: ListCompletion) -> ListCompletion:
    """The same task, its validation and test lists all one pair of items, again and again."""
    other = ListSet([[NUM_SPECIAL] * 50] * 20, [[NUM_SPECIAL + 41] * 50] * 20)
    return ListCompletion(task.data, task.vocabulary, task.train, other, other)


def test_planted_groups_are_found() -> None:
    found = extract_categories(planted(), GROUPS * SIZE, GROUPS, seed=0).view(GROUPS, SIZE)
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0].tolist())) == GROUPS


def test_the_same_lists_and_seed_give_the_same_categories() -> None:
    first, second = (extract_categories(planted(), GROUPS * SIZE, 7, seed=3) for _ in range(2))
    assert torch.equal(first, second)


def test_items_beyond_the_vocabulary_are_left_out() -> None:
    beyond = NUM_SPECIAL + GROUPS * SIZE
    lists = [[*one, beyond, beyond + 1] for one in planted()]
    expected = extract_categories(planted(), GROUPS * SIZE, GROUPS, seed=0)
    assert torch.equal(extract_categories(lists, GROUPS * SIZE, GROUPS, seed=0), expected)


def test_an_item_that_no_list_holds_gets_a_category_too() -> None:
    found = extract_categories(planted(), GROUPS * SIZE + 1, GROUPS, seed=0)
    assert found.shape == (GROUPS * SIZE + 1,)


def test_from_training_lists_alone_other_test_lists_change_nothing(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    categories, warnings = given_categories(task)
    assert warnings == []
    assert torch.equal(given_categories(with_other_tests(task))[0], categories)


def test_from_all_lists_the_test_lists_count_and_the_leak_is_said(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    before, warnings = given_categories(task, categories_from="all")
    assert len(warnings) == 1
    assert "the validation and test lists too" in warnings[0]
    after, _ = given_categories(with_other_tests(task), categories_from="all")
    assert not torch.equal(after, before)


def test_other_recommenders_are_left_as_they_are(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    made = build_recommender("fans", {}, len(task.vocabulary), None)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    give_categories(made, task, 0, pytest.fail)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_more_clusters_than_items_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"clusters must not exceed the 40 items .* got 41"):
        extract_categories(planted(), GROUPS * SIZE, 41, seed=0)


def test_without_gensim_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def missing(name: str, *arguments: object) -> object:
        if name.startswith("gensim"):
            raise ImportError(name)
        return original(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match="needs gensim: install the extra `train`"):
        extract_categories(planted(), GROUPS * SIZE, GROUPS, seed=0)


def test_a_run_takes_its_categories_from_the_lists(tmp_path: Path) -> None:
    settings = small_settings(
        planted_file(tmp_path), recommender="fans_two_stage", clusters=4, epochs=1
    )
    run_at(tmp_path / "model", settings)
    loaded = read_artifact(tmp_path / "model").load_recommender()
    assert torch.equal(loaded.categories, given_categories(task_of(tmp_path))[0])
