"""What is read and what follows, and where a list's last state is."""

import torch

from cove.batches import ListBatch, pad_lists
from cove.recommenders.base import whole_lists
from cove.recommenders.next_item import last_states, next_items
from cove.vocabulary import PAD

BATCH = ListBatch(pad_lists([[4, 5, 6], [7], []]), pad_lists([[10, 11], [12], [13, 14]]))


def test_halves_are_joined_with_the_padding_between_them_moved_to_the_end():
    assert whole_lists(BATCH).tolist() == [
        [4, 5, 6, 10, 11],
        [7, 12, PAD, PAD, PAD],
        [13, 14, PAD, PAD, PAD],
    ]


def test_no_lists_joined_are_no_lists():
    nothing = torch.zeros((0, 0), dtype=torch.int64)
    assert whole_lists(ListBatch(nothing, nothing)).shape == (0, 0)


def test_each_position_is_paired_with_the_item_behind_it():
    tokens, following = next_items(BATCH, 10)
    assert tokens.tolist() == [[4, 5, 6, 10], [7, 12, PAD, PAD], [13, 14, PAD, PAD]]
    assert following.tolist() == [[5, 6, 10, 11], [12, PAD, PAD, PAD], [14, PAD, PAD, PAD]]


def test_a_list_that_is_too_long_keeps_its_last_pairs():
    tokens, following = next_items(BATCH, 2)
    assert tokens.tolist() == [[6, 10], [7, 12], [13, 14]]
    assert following.tolist() == [[10, 11], [12, PAD], [14, PAD]]


def test_lists_of_one_item_or_none_have_one_position_without_a_follower():
    tokens, following = next_items(ListBatch(pad_lists([[], []]), pad_lists([[4], []])), 10)
    assert (tokens.tolist(), following.tolist()) == ([[4], [PAD]], [[PAD], [PAD]])


def test_the_last_state_of_an_empty_list_is_zero():
    states = torch.arange(12.0).reshape(2, 3, 2)
    assert last_states(states, torch.tensor([[2], [0]])).tolist() == [[2.0, 3.0], [0.0, 0.0]]
