"""The baselines: scores by hand, and what every completer must hold to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.baselines import ItemCooccurrence, MostPopular

NUM_ITEMS = 6
A, B, C, D, E, F = range(NUM_SPECIAL, NUM_SPECIAL + NUM_ITEMS)
TRAIN = [[A, B, B], [A, B, C], [A, C, D], [E]]
NOTHING = torch.zeros(0, dtype=torch.int64)


def batch_of(*lists: list[int]) -> ListBatch:
    return ListBatch(pad_lists(lists), NOTHING.new_zeros(len(lists), 0))


def popularity_of(lists: list[list[int]]) -> Tensor:
    indices = torch.tensor([index for one in lists for index in one])
    return torch.bincount(indices, minlength=NUM_SPECIAL + NUM_ITEMS)


def completers() -> list[MostPopular | ItemCooccurrence]:
    return [MostPopular(popularity_of(TRAIN)), ItemCooccurrence(TRAIN, NUM_ITEMS)]


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
    model: MostPopular | ItemCooccurrence,
) -> None:
    forbidden = torch.zeros(1, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    forbidden[0, [B, D]] = True
    indices, scores = model.complete(batch_of([A, F]), 10, forbidden)
    assert sorted(indices[0, :2].tolist()) == [C, E]
    assert indices[0, 2:].tolist() == [PAD] * 8
    assert scores[0, 2:].isneginf().all()
    assert scores[0, :2].isfinite().all()


@pytest.mark.parametrize("model", completers())
def test_an_empty_list_is_completed(model: MostPopular | ItemCooccurrence) -> None:
    indices, _ = model.complete(batch_of([]), 2)
    assert set(indices[0].tolist()) == {A, B}


def test_a_list_beyond_the_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="below 10: got 10"):
        ItemCooccurrence([[10]], NUM_ITEMS)


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
