"""Collaborative filtering from interactions to metrics: splits, unknown ids, protocols, leaks."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cove.batches import PairBatch
from cove.errors import DataError
from cove.recommenders.base import Prediction
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, PAD
from training.datasets.interactions import Facts, InteractionData
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.negatives import PreferenceSettings

FIRST = NUM_SPECIAL
UNIFORM = PreferenceSettings()


def data(histories: list[list[int]], **changes: object) -> InteractionData:
    """Users u0, u1, … with items in the order of time; item n has the id 100 + n."""
    pairs = [(user, item) for user, one in enumerate(histories) for item in one]
    content: dict[str, Any] = {
        "name": "made",
        "user_ids": [f"u{n}" for n in range(len(histories))],
        "item_ids": list(range(100, 101 + max(item for _, item in pairs))),
        "users": np.array([user for user, _ in pairs]),
        "items": np.array([item for _, item in pairs]),
        "order": np.arange(len(pairs), dtype=np.float64),
        "facts": None,
        "titles": None,
        "categories": None,
        "sha256": "0",
    }
    for part in (content["users"], content["items"]):
        part.setflags(write=False)  # as data that come from polars are
    return InteractionData(**content | changes)


SMALL = [[0, 1, 2, 3], [1, 0, 3, 2], [3, 1, 4, 0], [2, 1]]
"""The last of each of three users is tested on, the last but one validates; item 4 is nowhere
else, and the fourth user has too few."""


def small(**changes: object) -> CollaborativeFiltering:
    return prepare_preferences(data(SMALL, **changes), 0, UNIFORM)


class Taste(PreferenceModel):
    """Scores an item by its place in the vocabulary, for every user; remembers what it hears."""

    def __init__(self, num_users: int = 4, num_items: int = 4) -> None:
        super().__init__(2, num_users, num_items, None, None)
        self.heard: dict[str, Any] = {}

    def know_interactions(self, users: Tensor, items: Tensor) -> None:
        self.heard["interactions"] = (users.tolist(), items.tolist())

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, num_others: int) -> None:
        self.heard["facts"] = (heads.tolist(), relations.tolist(), tails.tolist(), num_others)

    def interact(self, user: Tensor, items: Tensor) -> Tensor:
        raise NotImplementedError

    def interact_all(self, user: Tensor, items: Tensor) -> Tensor:
        raise NotImplementedError

    def predict(self, batch: PairBatch) -> Prediction:
        raise NotImplementedError

    def score_all(self, users: Tensor) -> Tensor:
        return torch.arange(self.items.num_entities).float().expand(len(users), -1)


def test_each_users_last_item_is_tested_on_and_the_last_but_one_validates() -> None:
    task = small()
    assert task.users.ids == ["u0", "u1", "u2", "u3"]
    assert task.items.ids == [100, 101, 102, 103]
    assert (task.train.users - FIRST).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (task.train.items - FIRST).tolist() == [0, 1, 1, 0, 3, 1, 2, 1]
    assert (task.valid.targets - FIRST).tolist() == [2, 3, PAD - FIRST]
    assert (task.test.targets - FIRST).tolist() == [3, 2, 0]
    assert task.test.users.tolist() == task.valid.users.tolist() == [4, 5, 6]
    assert task.popularity().tolist() == [2, 4, 1, 1]
    counts = task.counts()
    assert (counts["users"], counts["interactions"]) == (4, 14)
    assert counts["train_interactions"] == 8
    assert (counts["valid_users"], counts["test_users"], counts["test_users_unknown"]) == (3, 3, 0)


def test_testing_leaves_out_the_validation_item_too_and_validating_does_not() -> None:
    task = small()
    by_user = task.test_metrics(Taste())[1]
    # Scores 0 1 2 3. u0: item 3 of 3. u1: item 2 of 2, for 0, 1 are trained on, 3 validates.
    # u2: item 0 of 0, 2: one above.
    assert by_user["ndcg_at_10"].tolist()[:3] == pytest.approx([1, 1, 1 / math.log2(3)])
    assert by_user["ndcg_at_10"][3].isnan()
    found = task.evaluate(Taste(), "valid")
    # u0: item 2 of 2, 3: one above. u1: item 3 first. u2: an item that training does not know.
    assert found["ndcg_at_10"] == pytest.approx((1 / math.log2(3) + 1 + 0) / 3)
    assert found["hit_at_10"] == pytest.approx(2 / 3)


def test_means_are_those_over_users_and_a_metric_of_each_protocol_is_there() -> None:
    task = small()
    metrics, by_user = task.test_metrics(Taste())
    assert metrics.keys() <= by_user.keys()  # no third of the items is popular
    of_all = task.evaluate(Taste(), "test")
    assert of_all.keys() <= metrics.keys()
    assert {"ndcg_at_10", "sampled_99_ndcg_at_10", task.selection_metric} <= metrics.keys()
    for name, value in of_all.items():
        assert by_user[name].shape == (4,)
        assert value == metrics[name] == pytest.approx(float(by_user[name][:3].mean()))


def test_candidates_are_items_that_the_user_has_in_no_split_and_the_same_for_a_seed() -> None:
    task = small()
    # u0 has all four items; u1 too; u2 lacks item 2 alone.
    assert [sorted(set(row)) for row in task.test.candidates.tolist()] == [
        [PAD], [PAD], [PAD, 2 + FIRST],
    ]  # fmt: skip
    histories = [[user, user + 1, user + 2, user + 3] for user in range(200)]
    first, again, other = (
        prepare_preferences(data(histories), seed, UNIFORM) for seed in (3, 3, 4)
    )
    assert torch.equal(first.test.candidates, again.test.candidates)
    assert not torch.equal(first.test.candidates, other.test.candidates)
    assert not torch.equal(first.test.candidates, first.valid.candidates)
    for user, row in zip(first.test.owners.tolist(), first.test.candidates.tolist(), strict=True):
        have = {first.items.index_of(100 + item) for item in histories[user]}
        assert len(set(row)) == 99
        assert not {PAD, *have} & set(row)


def test_an_epoch_holds_every_interaction_once_with_negatives_drawn_anew() -> None:
    histories = [[(user + step) % 20 for step in range(5)] for user in range(20)]
    task = prepare_preferences(data(histories), 0, PreferenceSettings(negatives=3))
    torch.manual_seed(0)
    epochs = [list(task.batches(25, torch.Generator().manual_seed(1))) for _ in range(2)]
    assert [len(batch.users) for batch in epochs[0]] == [20, 20, 20]
    trained = sorted(zip(task.train.users.tolist(), task.train.items.tolist(), strict=True))
    for epoch in epochs:
        users, items, negatives = (torch.cat(part) for part in zip(*epoch, strict=True))
        assert sorted(zip(users.tolist(), items.tolist(), strict=True)) == trained
        assert negatives.shape == (60, 3)
        pairs = {(u, i) for u, row in zip(users.tolist(), negatives.tolist(), strict=True)
                 for i in row}  # fmt: skip
        assert not pairs & set(trained)
    assert all(torch.equal(a.users, b.users) for a, b in zip(*epochs, strict=True))
    assert not torch.equal(epochs[0][0].negatives, epochs[1][0].negatives)


def test_a_recommender_hears_of_interactions_and_of_facts_about_known_items() -> None:
    # Entities: items 0 to 4, then two brands. Item 4 is not in training.
    facts = Facts(
        heads=np.array([0, 4, 3, 1]),
        relations=np.array([0, 0, 1, 0]),
        tails=np.array([5, 5, 4, 6]),
        relation_names=["brand", "bought with"],
        other_ids=["a", "b"],
    )
    heard = Taste()
    small(facts=facts).start(heard, 0, pytest.fail)
    assert heard.heard["interactions"][0] == [4, 4, 5, 5, 6, 6, 7, 7]
    assert heard.heard["facts"] == ([4, 5], [0, 0], [8, 9], 2)
    silent = Taste()
    small().start(silent, 0, pytest.fail)
    assert list(silent.heard) == ["interactions"]


def test_the_baseline_and_the_tables_count_training_interactions() -> None:
    task = small(titles={100: "first", 103: "last"}, categories={101: ["toy"]})
    found = task.baseline_metrics()["test_most_popular"]
    # Popularity 2 4 1 1: u0's item 3 is alone, u1's item 2 too, u2's item 0 is above item 2.
    assert found["ndcg_at_10"] == 1.0
    tables = task.tables(Taste())
    assert tables["item"].popularity.tolist() == [2, 4, 1, 1]
    assert tables["user"].popularity.tolist() == [2, 2, 2, 2]
    seen = tables["user"].seen
    assert seen is not None
    assert [seen.of(user).tolist() for user in range(4)] == [[0, 1], [0, 1], [1, 3], [1, 2]]
    assert tables["item"].seen is None
    assert tables["item"].titles == ["first", "101", "102", "last"]
    assert tables["item"].categories == [[], ["toy"], [], []]


def test_users_with_fewer_than_three_items_alone_are_refused() -> None:
    with pytest.raises(DataError, match="no user has 3 interactions"):
        prepare_preferences(data([[0, 1], [1]]), 0, UNIFORM)


item_lists = st.lists(
    st.lists(st.integers(0, 8), min_size=3, max_size=6, unique=True), min_size=3, max_size=8
)


@given(item_lists, st.randoms())
def test_other_test_items_change_nothing_that_training_sees(
    histories: list[list[int]], random: Any
) -> None:
    catalogue = [[9, 10, 11, 12]]  # all items that may come are in the data before and after
    changed = [
        [*one[:-1], random.choice([n for n in range(12) if n not in one[:-1]])] for one in histories
    ]
    task, other = (
        prepare_preferences(data([*lists, *catalogue]), 0, UNIFORM)
        for lists in (histories, changed)
    )
    assert other.items.ids == task.items.ids
    assert other.users.ids == task.users.ids
    seen = [
        [*vars(one.train).values(), one.popularity(), one.valid.targets, one.valid.left_out.items]
        for one in (task, other)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    epochs = []
    for one in (task, other):
        torch.manual_seed(0)
        epochs.append(list(one.batches(4, torch.Generator().manual_seed(0))))
    for batch, same in zip(*epochs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, same, strict=True))
