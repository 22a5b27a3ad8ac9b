"""GRU4Rec: its equations, causality, its loss by hand, empty lists."""

import pytest
import torch

from cove.batches import ListBatch, pad_lists
from cove.recommenders.gru4rec import Gru4Rec, Gru4RecSettings
from cove.vocabulary import NUM_SPECIAL
from tests.cove.worlds import build

BATCH = ListBatch(pad_lists([[4, 5, 6], [7], []]), pad_lists([[10, 11], [12], [13, 14]]))


def gru4rec(**settings: object) -> Gru4Rec:
    made = build("gru4rec", 30, None, **settings)
    assert isinstance(made, Gru4Rec)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def states_by_hand(made: Gru4Rec, items: list[int]) -> torch.Tensor:
    """The module's equations, one step and one layer at a time: [len(items), D]."""
    steps = made.items.all()[torch.tensor(items)]
    weights = dict(made.recurrent.named_parameters())
    for layer in range(made.settings.layers):
        state, states = torch.zeros(steps.shape[1]), []
        for step in steps:
            inward = weights[f"weight_ih_l{layer}"] @ step + weights[f"bias_ih_l{layer}"]
            across = weights[f"weight_hh_l{layer}"] @ state + weights[f"bias_hh_l{layer}"]
            (x_r, x_z, x_n), (h_r, h_z, h_n) = inward.chunk(3), across.chunk(3)
            reset, keep = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
            state = (1 - keep) * (x_n + reset * h_n).tanh() + keep * state
            states.append(state)
        steps = torch.stack(states)
    return steps @ made.output.weight.t() + made.output.bias


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 3])
def test_states_and_loss_are_the_equations_written_out(layers):
    made = gru4rec(layers=layers)
    prediction = made.predict(BATCH)
    lists = ([4, 5, 6, 10, 11], [7, 12], [13, 14])
    states = torch.cat([states_by_hand(made, items[:-1]) for items in lists])
    assert prediction.targets.tolist() == [5, 6, 10, 11, 12, 14]
    torch.testing.assert_close(prediction.states, states, rtol=1e-4, atol=1e-5)
    scores = states @ made.items.all()[NUM_SPECIAL:].t() + made.head.bias
    chosen = scores[torch.arange(6), prediction.targets - NUM_SPECIAL]
    by_hand = (scores.logsumexp(dim=1) - chosen).mean()
    assert prediction.loss.item() == pytest.approx(float(by_hand), rel=1e-5)


@torch.no_grad()
def test_a_later_item_never_changes_an_earlier_state():
    made = gru4rec()
    first = made.predict(ListBatch(pad_lists([[4, 5]]), pad_lists([[6, 7, 8]]))).states
    second = made.predict(ListBatch(pad_lists([[4, 5]]), pad_lists([[6, 20, 8]]))).states
    torch.testing.assert_close(first[:3], second[:3])
    assert not torch.allclose(first[3], second[3])


@torch.no_grad()
def test_lists_without_a_next_item_have_no_loss():
    prediction = gru4rec().predict(ListBatch(pad_lists([[], []]), pad_lists([[4], [5]])))
    assert prediction.loss.item() == 0
    assert prediction.states.shape == (0, 16)


@torch.no_grad()
def test_an_empty_list_is_completed_by_the_biases_alone():
    made = gru4rec()
    empty = ListBatch(pad_lists([[]]), pad_lists([[]]))
    assert made.complete(empty, 1)[0].item() == int(made.head.bias.argmax()) + NUM_SPECIAL


@pytest.mark.parametrize("name", ["layers", "dimensions", "max_generated"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        Gru4RecSettings(**{name: 0})
