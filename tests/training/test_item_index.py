"""A large catalogue gets an index when training is done, where one is good enough."""

from types import SimpleNamespace

import pytest
import torch

import training.item_index
from cove.batches import ListBatch
from cove.entity_tables import EntityTables, entity_tables
from cove.item_index import ItemIndex
from cove.recommenders import ListCompleter, build_recommender
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, PAD, Vocabulary
from training.item_index import index_of_items
from training.tasks.collaborative_filtering import CollaborativeFiltering
from training.tasks.list_completion import ListCompletion

NUM_ITEMS = 400


class OneBatch:
    """Validation lists, whatever the size asked for."""

    def batches(self, size: int, generator: object) -> list[ListBatch]:
        items = torch.arange(NUM_SPECIAL, NUM_SPECIAL + NUM_ITEMS).view(-1, 4)
        return [ListBatch(items[:size, :2], items[:size, 2:])]


def world(name: str = "bag") -> tuple[ListCompleter, ListCompletion, EntityTables]:
    torch.manual_seed(0)
    recommender = build_recommender(name, {"dimensions": 16}, NUM_ITEMS).eval()
    assert isinstance(recommender, ListCompleter)
    vocabulary = Vocabulary(range(NUM_ITEMS))
    nothing = SimpleNamespace()
    task = ListCompletion(nothing, vocabulary, nothing, OneBatch(), nothing)
    return recommender, task, entity_tables(recommender.items, vocabulary, torch.ones(NUM_ITEMS))


def made(name: str = "bag") -> tuple[ItemIndex | None, list[str]]:
    said: list[str] = []
    return index_of_items(*world(name), said.append), said


def test_a_catalogue_of_less_than_a_million_items_gets_none() -> None:
    assert made() == (None, [])


def test_a_large_one_gets_one_measured_on_validation_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.item_index, "INDEXED_FROM", NUM_ITEMS)
    monkeypatch.setattr(
        training.item_index, "build_index", lambda *given: ItemIndex(given, facts=None)
    )
    index, said = made()
    assert said == []
    table, bias, states = index._found
    assert table.shape == (NUM_SPECIAL + NUM_ITEMS, 16)
    assert bias.shape == (NUM_ITEMS,)
    assert states.shape == (100, 16)  # the lists that there are
    assert made("fans_two_stage") == (None, [])


def test_whoever_gets_none_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.item_index, "INDEXED_FROM", NUM_ITEMS)
    monkeypatch.setattr(training.item_index, "build_index", lambda *given: None)
    assert made()[1] == [
        "no index finds 99 of 100 of the best items: a server will score every item"
    ]
    monkeypatch.setattr(training.item_index, "faiss_is_here", lambda: False)
    assert "faiss is not installed" in made()[1][0]


@pytest.mark.parametrize(
    ("name", "gets_one"), [("bprmf", True), ("lightgcn", True), ("cfkg", False), ("neumf", False)]
)
def test_of_preference_models_those_whose_scores_are_products_get_one(
    name: str, gets_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.item_index, "INDEXED_FROM", NUM_ITEMS)
    monkeypatch.setattr(
        training.item_index, "build_index", lambda *given: ItemIndex(given, facts=None)
    )
    torch.manual_seed(0)
    recommender = build_recommender(name, {"dimensions": 16}, NUM_ITEMS, num_users=3).eval()
    assert isinstance(recommender, PreferenceModel)
    vocabulary, nothing = Vocabulary(range(NUM_ITEMS)), SimpleNamespace()
    users = torch.tensor([NUM_SPECIAL, PAD, NUM_SPECIAL + 2])  # training does not know the second
    task = CollaborativeFiltering(
        nothing, Vocabulary(range(3)), vocabulary, nothing, SimpleNamespace(users=users), nothing,
        nothing,
    )  # fmt: skip
    tables = entity_tables(recommender.items, vocabulary, torch.ones(NUM_ITEMS))
    index = index_of_items(recommender, task, tables, print)
    assert (index is not None) == gets_one
    if index is not None:
        table, bias, states = index._found
        torch.testing.assert_close(
            states @ table[NUM_SPECIAL:].T + bias, recommender.score_all(users[[0, 2]])
        )
