"""The baselines: scores by hand, and what every completer must hold to."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.baselines import (
    Ease,
    ItemCooccurrence,
    ItemKnn,
    MostPopular,
    cooccurrence_rows,
    incidence,
)

NUM_ITEMS = 6
A, B, C, D, E, F = range(NUM_SPECIAL, NUM_SPECIAL + NUM_ITEMS)
TRAIN = [[A, B, B], [A, B, C], [A, C, D], [E]]
NOTHING = torch.zeros(0, dtype=torch.int64)


def batch_of(*lists: list[int]) -> ListBatch:
    return ListBatch(pad_lists(lists), NOTHING.new_zeros(len(lists), 0))


def popularity_of(lists: list[list[int]]) -> Tensor:
    indices = torch.tensor([index for one in lists for index in one])
    return torch.bincount(indices, minlength=NUM_SPECIAL + NUM_ITEMS)


Completer = MostPopular | ItemCooccurrence | ItemKnn | Ease


def completers() -> list[Completer]:
    return [
        MostPopular(popularity_of(TRAIN)),
        ItemCooccurrence(TRAIN, NUM_ITEMS),
        ItemKnn(TRAIN, NUM_ITEMS, neighbours=3, shrink=1.0),
        Ease(TRAIN, NUM_ITEMS, regularization=2.0),
    ]


def test_the_most_popular_items_come_by_occurrences() -> None:
    indices, scores = MostPopular(popularity_of(TRAIN)).complete(batch_of([C], [A, B]), 3)
    assert indices.tolist() == [[A, B, D], [C, D, E]]
    assert scores.tolist() == [[3, 3, 1], [2, 1, 1]]
    assert scores.dtype == torch.float32
    assert indices.dtype == torch.int64


def test_cooccurrence_scores_are_those_worked_by_hand() -> None:
    # Lists that hold them: A 3, B 2, C 2, D 1; together: AB 2, AC 2, AD 1, BC 1, CD 1.
    model = ItemCooccurrence(TRAIN, NUM_ITEMS)
    indices, scores = model.complete(batch_of([A, B], [C, C]), 3)
    assert indices.tolist() == [[C, D, E], [A, D, B]]
    with_a_and_b = [2 / math.sqrt(3 * 2) + 1 / math.sqrt(2 * 2), 1 / math.sqrt(3 * 1), 0]
    with_c = [2 / math.sqrt(2 * 3), 1 / math.sqrt(2 * 1), 1 / math.sqrt(2 * 2)]
    torch.testing.assert_close(scores, torch.tensor([with_a_and_b, with_c]))


def test_equal_scores_come_by_popularity() -> None:
    model = ItemCooccurrence([[F], [F], [E], [D], [D], [D]], NUM_ITEMS)
    indices, scores = model.complete(batch_of([A]), 5)
    assert indices.tolist() == [[D, F, E, B, C]]
    assert scores.tolist() == [[0.0] * 5]


@pytest.mark.parametrize("model", completers())
def test_forbidden_items_never_come_and_the_tail_is_padding(
    model: Completer,
) -> None:
    forbidden = torch.zeros(1, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    forbidden[0, [B, D]] = True
    indices, scores = model.complete(batch_of([A, F]), 10, forbidden)
    assert sorted(indices[0, :2].tolist()) == [C, E]
    assert indices[0, 2:].tolist() == [PAD] * 8
    assert scores[0, 2:].isneginf().all()
    assert scores[0, :2].isfinite().all()


@pytest.mark.parametrize("model", completers())
def test_an_empty_list_is_completed(model: Completer) -> None:
    indices, _ = model.complete(batch_of([]), 2)
    assert set(indices[0].tolist()) == {A, B}


def test_a_list_beyond_the_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="below 10: got 10"):
        ItemCooccurrence([[10]], NUM_ITEMS)


def test_the_nearest_neighbours_of_the_given_items_are_scored_by_shrunk_cosine() -> None:
    # Lists that hold them: A 3, C 2, D 1; D shares one list with A and the same with C.
    indices, scores = ItemKnn(TRAIN, NUM_ITEMS, 2, 1.0).complete(batch_of([D]), 3)
    with_c, with_a = 1 / (math.sqrt(1 * 2) + 1), 1 / (math.sqrt(1 * 3) + 1)
    assert indices.tolist() == [[C, A, B]]
    torch.testing.assert_close(scores, torch.tensor([[with_c, with_a, 0.0]]))
    indices, scores = ItemKnn(TRAIN, NUM_ITEMS, 1, 1.0).complete(batch_of([D]), 2)
    assert indices.tolist() == [[C, A]]
    assert scores[0].tolist() == [pytest.approx(with_c), 0.0]


def test_the_scores_of_several_given_items_are_added_and_a_repeat_counts_once() -> None:
    model = ItemKnn(TRAIN, NUM_ITEMS, 5, 0.0)
    _, scores = model.complete(batch_of([B, C, B]), 1)
    a_of_b, a_of_c = 2 / math.sqrt(2 * 3), 2 / math.sqrt(2 * 3)
    assert scores.tolist() == [[pytest.approx(a_of_b + a_of_c)]]


def test_ease_on_two_items_is_the_inverse_worked_by_hand() -> None:
    # XᵀX + I = [[3, 1], [1, 3]], P = [[3, -1], [-1, 3]] / 8, B = -P_AB / P_BB = 1/3.
    model = Ease([[A, B], [A], [B]], 2, 1.0)
    indices, scores = model.complete(batch_of([A]), 1)
    assert indices.tolist() == [[B]]
    assert scores.item() == pytest.approx(1 / 3)


def test_ease_weighs_a_pair_by_the_item_to_be_found() -> None:
    # XᵀX + I of A, B: [[3, 1], [1, 2]], P = [[2, -1], [-1, 3]] / 5: B from A 1/3, A from B 1/2.
    # Of C, D: [[3, 2], [2, 3]], P = [[3, -2], [-2, 3]] / 5: 2/3 both ways.
    model = Ease([[A, B, B], [A], [C, D], [D, C]], 4, 1.0)
    indices, scores = model.complete(batch_of([A], [B, C], [C, C]), 2)
    assert indices.tolist() == [[B, C], [D, A], [D, A]]
    torch.testing.assert_close(scores, torch.tensor([[1 / 3, 0], [2 / 3, 1 / 2], [2 / 3, 0]]))


def test_ease_agrees_with_a_direct_inverse() -> None:
    random = np.random.default_rng(3)
    held = random.random((50, 12)) < 0.3
    lists = [(np.flatnonzero(row) + NUM_SPECIAL).tolist() for row in held]
    matrix = held.astype(np.float64)
    inverse = np.linalg.inv(matrix.T @ matrix + 7.0 * np.eye(12))
    weights = np.eye(12) - inverse @ np.diag(1 / np.diag(inverse))
    model = Ease(lists, 12, 7.0)
    np.testing.assert_allclose(model.weights[NUM_SPECIAL:, NUM_SPECIAL:], weights, atol=1e-6)
    _, scores = model.complete(batch_of([NUM_SPECIAL, NUM_SPECIAL + 5]), 10)
    wanted = np.sort(np.delete(weights[0] + weights[5], [0, 5]))[::-1]
    np.testing.assert_allclose(scores[0], wanted, atol=1e-6)


def test_ease_refuses_more_items_than_it_can_invert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ease, "MOST_ITEMS", 5)
    with pytest.raises(DataError, match=r"^EASE inverts [^.]* takes at most 5: got 6$"):
        Ease(TRAIN, NUM_ITEMS, 1.0)


index_lists = st.lists(st.integers(A, F), max_size=8)


@given(st.lists(index_lists, max_size=8), st.lists(index_lists, min_size=1, max_size=4))
def test_completions_agree_with_the_plain_formula(
    train: list[list[int]], inputs: list[list[int]]
) -> None:
    indices, scores = ItemCooccurrence(train, NUM_ITEMS).complete(batch_of(*inputs), NUM_ITEMS)
    sets = [set(one) for one in train]
    held = {item: sum(item in one for one in sets) for item in range(A, F + 1)}
    for number, given_items in enumerate(map(set, inputs)):
        found = [index for index in indices[number].tolist() if index != PAD]
        assert sorted(found) == [item for item in range(A, F + 1) if item not in given_items]
        for place, item in enumerate(found):
            wanted = sum(
                sum({i, item} <= one for one in sets) / math.sqrt(held[i] * held[item])
                for i in given_items
                if held[i] and held[item]
            )
            assert scores[number, place].item() == pytest.approx(wanted, abs=1e-5)


@given(st.lists(index_lists, min_size=1, max_size=8), st.integers(1, 100))
def test_cooccurrences_are_the_same_however_many_are_in_memory(
    train: list[list[int]], values: int
) -> None:
    held = incidence(train, NUM_ITEMS)
    whole = held.to_dense().t() @ held.to_dense()
    parts = list(cooccurrence_rows(held, values))
    assert [start for start, _ in parts] == sorted({start for start, _ in parts})
    assert torch.equal(torch.cat([rows for _, rows in parts]), whole)


@settings(max_examples=30)
@given(st.lists(index_lists, max_size=8), st.integers(1, NUM_ITEMS), st.sampled_from([0.0, 2.5]))
def test_the_neighbours_of_an_item_are_its_most_similar_ones(
    train: list[list[int]], neighbours: int, shrink: float
) -> None:
    sets = [set(one) for one in train]
    held = {item: sum(item in one for one in sets) for item in range(A, F + 1)}
    model = ItemKnn(train, NUM_ITEMS, neighbours, shrink)
    indices, scores = model.complete(batch_of(*([item] for item in held)), NUM_ITEMS - 1)
    for item, row, values in zip(held, indices.tolist(), scores.tolist(), strict=True):
        similar = {
            other: together / (math.sqrt(held[item] * held[other]) + shrink)
            for other in held
            if other != item and (together := sum({item, other} <= one for one in sets))
        }
        found = {other: score for other, score in zip(row, values, strict=True) if score}
        # Which of equally similar ones are neighbours is left open.
        wanted = sorted(similar.values(), reverse=True)[:neighbours]
        assert list(found.values()) == pytest.approx(wanted)
        assert found == pytest.approx({other: similar[other] for other in found})
