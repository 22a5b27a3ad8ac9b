"""CAR: the consistency of a list, the gate and the mixture by hand, causality and both losses."""

import math

import pytest
import torch

from cove.batches import ListBatch, pad_lists
from cove.recommenders.car import Car, CarSettings, ConsistencyLayer, running_distance
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.cove.worlds import build

STATES = torch.tensor([[[2.0, 0.0], [4.0, 3.0], [0.0, 0.0]]])  # [1, L, D]


def car(num_items: int = 20, **settings: object) -> Car:
    made = build("car", num_items, None, **settings)
    assert isinstance(made, Car)
    return made


def blank_layer() -> ConsistencyLayer:
    """D = 2, one head: every query, key, gate and network is zero."""
    layer = ConsistencyLayer(CarSettings(dimensions=2, heads=1)).eval()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "norm" not in name:
                parameter.zero_()
    return layer


def test_consistency_is_the_distance_from_the_mean_of_the_list_so_far():
    # means: (2, 0), (3, 1.5), (2, 1)
    assert running_distance(STATES).tolist() == [[[0.0, 0.0], [1.0, 1.5], [2.0, 1.0]]]


@torch.no_grad()
def test_the_gate_is_a_softmax_of_the_list_embedding_and_the_distance():
    layer = blank_layer()
    layer.gate.weight[0, 1] = 1.0  # the list embedding's second dimension
    layer.gate.weight[1, 2] = 2.0  # the distance's first
    layer.gate.bias[2] = math.log(3)
    weights = layer.gate_weights(torch.tensor([[[9.0, 0.5]] * 3]), STATES)
    for place, distance in enumerate([0.0, 1.0, 2.0]):
        powers = [math.exp(0.5), math.exp(2 * distance), 3.0]
        expected = [power / sum(powers) for power in powers]
        assert weights[0, place].tolist() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_attention_weighs_the_states_themselves_up_to_each_position():
    layer = blank_layer()
    zero = torch.zeros_like(STATES)
    means = torch.tensor([[[2.0, 0.0], [3.0, 1.5], [2.0, 1.0]]])
    torch.testing.assert_close(layer.attend(zero, zero, STATES), means)
    # scores (2 − 2, 0) / √2 of the first two positions against a query (1, 0)
    query, key = torch.tensor([[[1.0, 0.0]] * 3]), torch.tensor([[[2.0, 0], [0, 0], [-99, 0]]])
    first = math.exp(2 / math.sqrt(2)) / (math.exp(2 / math.sqrt(2)) + 1)
    expected = [2 * first + 4 * (1 - first), 3 * (1 - first)]
    for place in (1, 2):
        attended = layer.attend(query, key, STATES)[0, place].tolist()
        assert attended == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("view", "expected"), [(0, [3.0, 1.5]), (1, [3.0, 1.5]), (2, [1.0, -1.0])])
def test_the_mixture_takes_preferences_as_they_are_and_the_last_item_normed(view, expected):
    layer, seen = blank_layer(), []
    layer.mixture_norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    layer.gate.bias[view] = 50.0  # the other views get nothing
    output = layer(STATES)
    assert seen[0][0, 1].tolist() == pytest.approx(expected, rel=1e-4)
    larger_first = torch.tensor([1.0, -1.0])  # a layer norm of two numbers; the network is zero
    torch.testing.assert_close(output[0, 1], larger_first, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_position_sees_nothing_behind_it():
    made = car()
    torch.manual_seed(0)
    for parameter in made.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.2)
    table = made.items.all()
    one = made.encode(torch.tensor([[4, 5, 6, 7]]), table)
    other = made.encode(torch.tensor([[4, 5, 9, PAD]]), table)
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def blank(loss: str, num_items: int) -> Car:
    """States are zero, so that a score is the item's bias: .1, .2, …"""
    made = car(num_items, loss=loss)
    with torch.no_grad():
        made.norm.weight.zero_()
        made.head.bias.copy_((torch.arange(num_items) + 1) / 10)
    return made


def test_the_pairwise_loss_is_the_next_item_against_one_that_the_list_does_not_hold():
    made = blank("pairwise", 4)  # only item 3, of score .4, is outside the list
    batch = ListBatch(pad_lists([[NUM_SPECIAL, NUM_SPECIAL + 1]]), pad_lists([[NUM_SPECIAL + 2]]))
    prediction = made.predict(batch)
    assert prediction.targets.tolist() == [NUM_SPECIAL + 1, NUM_SPECIAL + 2]
    expected = (math.log(1 + math.exp(0.2)) + math.log(1 + math.exp(0.1))) / 2
    assert prediction.loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_softmax_loss_is_the_cross_entropy_over_the_catalogue():
    made = blank("softmax", 3)
    batch = ListBatch(pad_lists([[NUM_SPECIAL]]), pad_lists([[NUM_SPECIAL + 2]]))
    whole = math.log(math.exp(0.1) + math.exp(0.2) + math.exp(0.3))
    assert made.predict(batch).loss.item() == pytest.approx(whole - 0.3, rel=1e-5)


@pytest.mark.parametrize("name", ["loss", "max_generated", "dropout"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        CarSettings(**{name: -1})
