"""Caser: its filters by hand, the windows it is trained on, and both losses."""

import math

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.recommenders.caser import Caser, CaserSettings
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.cove.worlds import build

BATCH = ListBatch(pad_lists([[4, 5], [7]]), pad_lists([[6], [8, 9]]))


def caser(num_items: int = 20, **settings: object) -> Caser:
    made = build("caser", num_items, None, **settings)
    assert isinstance(made, Caser)
    return made


def tiny() -> Caser:
    """D = 2, L = 2, one filter of each kind; the state is every other feature's sum, see below."""
    made = caser(dimensions=2, window=2, horizontal_filters=1, vertical_filters=1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        made.output.weight.copy_(torch.eye(2))
    return made


WINDOW = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])  # [1, L, D]


@torch.no_grad()
def test_a_vertical_filter_is_a_weighted_sum_of_the_windows_items():
    made = tiny()
    made.vertical.weight.copy_(torch.tensor([[0.5, 2.0]]))
    made.vertical.bias.fill_(0.25)
    made.dense.weight[:, :2] = torch.eye(2)
    # .5 · (1, 2) + 2 · (3, 5) + .25
    assert made.encode(WINDOW).tolist() == [[6.75, 11.25]]


@torch.no_grad()
def test_a_horizontal_filter_gives_its_largest_value_over_the_places_where_it_fits():
    made = tiny()
    made.dense.weight[0, 2], made.dense.weight[1, 3] = 1.0, 1.0
    made.horizontal[0].weight.copy_(torch.tensor([[[2.0], [-1.0]]]))  # height 1: 0 and 1
    made.horizontal[1].weight.copy_(torch.tensor([[[1.0, 1.0], [0.0, 1.0]]]))  # 1 + 3 + 5
    made.horizontal[1].bias.fill_(0.5)
    assert made.encode(WINDOW).tolist() == [[1.0, 9.5]]


@torch.no_grad()
def test_a_horizontal_filter_below_zero_everywhere_gives_zero():
    made = tiny()
    made.dense.weight[0, 2] = 1.0
    made.horizontal[0].weight.copy_(torch.tensor([[[-1.0], [0.0]]]))
    assert made.encode(WINDOW).tolist() == [[0.0, 0.0]]


@torch.no_grad()
def test_it_begins_as_the_positive_part_of_the_windows_average():
    made = caser(dimensions=2, window=2)
    made.horizontal.apply(lambda one: one.weight.zero_() if hasattr(one, "weight") else None)
    state = made.encode(torch.tensor([[[1.0, -4.0], [3.0, 2.0]]]))
    torch.testing.assert_close(state, torch.tensor([[2.0, 0.0]]))


def test_every_window_of_a_whole_list_is_to_predict_the_items_behind_it(monkeypatch):
    made, seen = caser(window=2, next_items=2), []
    original = made._states
    monkeypatch.setattr(
        made, "_states", lambda given, table: seen.append(given) or original(given, table)
    )
    prediction = made.predict(BATCH)
    first = [[PAD, PAD], [PAD, 4], [4, 5]]
    second = [[PAD, PAD], [PAD, 7], [7, 8]]
    assert seen[0].tolist() == first + second
    assert prediction.targets.tolist() == [4, 5, 5, 6, 6, 7, 8, 8, 9, 9]
    assert torch.equal(prediction.states[1], prediction.states[0])  # one window, two targets
    assert not torch.equal(prediction.states[2], prediction.states[1])


def blank(loss: str, num_items: int, **settings: object) -> Caser:
    """States are zero, so that a score is the item's bias: .1, .2, …"""
    made = caser(num_items, loss=loss, next_items=1, **settings)
    with torch.no_grad():
        made.output.weight.zero_()
        made.head.bias.copy_((torch.arange(num_items) + 1) / 10)
    return made


def test_the_binary_loss_is_the_targets_against_items_that_the_list_does_not_hold():
    made = blank("binary", 4, negatives=3)  # only item 3, of score .4, is outside the list
    batch = ListBatch(pad_lists([[NUM_SPECIAL, NUM_SPECIAL + 1]]), pad_lists([[NUM_SPECIAL + 2]]))

    def log_sigmoid(score: float) -> float:
        return -math.log(1 + math.exp(-score))

    expected = -(log_sigmoid(0.1) + log_sigmoid(0.2) + log_sigmoid(0.3)) / 3 - 3 * log_sigmoid(-0.4)
    assert made.predict(batch).loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_softmax_loss_is_the_cross_entropy_over_the_catalogue():
    made = blank("softmax", 3)
    batch = ListBatch(pad_lists([[NUM_SPECIAL]]), pad_lists([[NUM_SPECIAL + 2]]))
    whole = math.log(math.exp(0.1) + math.exp(0.2) + math.exp(0.3))
    assert made.predict(batch).loss.item() == pytest.approx(whole - (0.1 + 0.3) / 2, rel=1e-5)


@torch.no_grad()
def test_a_list_is_scored_by_its_last_items_alone():
    made = caser(window=3)
    torch.manual_seed(0)
    made.items.weight.add_(torch.randn_like(made.items.weight))

    def scores(*rows: list[int]) -> Tensor:
        sizes = torch.tensor([[len(row)] for row in rows])
        table = made.items.all()
        return made.head(made.next_states(pad_lists(rows), sizes, table), table)

    long, other, short = scores([4, 5, 6, 7, 8], [9, 6, 7, 8], [8])
    torch.testing.assert_close(long, other)
    torch.testing.assert_close(short, scores([8])[0])
    assert not torch.allclose(long, short)


def test_popularity_starts_each_loss_at_its_own_best_constant_scores():
    counts = torch.tensor([6, 2])
    for loss, shift in (("softmax", 0.0), ("binary", math.log(2 / 3))):
        made = caser(2, loss=loss)
        made.start_from_popularity(counts)
        expected = [math.log(0.75) + shift, math.log(0.25) + shift]
        assert made.head.bias.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["window", "next_items", "negatives", "dropout", "loss"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        CaserSettings(**{name: -1})
