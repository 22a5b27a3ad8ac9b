"""DCN: cross layers and the joined logit, worked by hand."""

import pytest
import torch

from cove.recommenders.dcn import CrossLayer, Dcn, DcnSettings
from cove.vocabulary import NUM_SPECIAL


def cross_layer(weight: list[float], bias: list[float]) -> CrossLayer:
    layer = CrossLayer(len(weight))
    with torch.no_grad():
        layer.weight.weight.copy_(torch.tensor([weight]))
        layer.bias.copy_(torch.tensor(bias))
    return layer


def test_a_cross_layer_scales_the_start_by_one_number_and_adds_bias_and_state():
    layer = cross_layer([0.0, 1.0], [0.0, -1.0])
    crossed = layer(torch.tensor([[2.0, 3.0]]), torch.tensor([[6.5, 9.0]]))
    assert crossed.tolist() == [[9 * 2 + 6.5, 9 * 3 - 1 + 9]]


def test_the_logit_reads_the_cross_network_and_the_deep_one():
    made = Dcn(DcnSettings(dimensions=1, widths=(2,), cross_layers=2), 1, 1).eval()
    made.cross[0] = cross_layer([1.0, 0.0], [0.5, 0.0])
    made.cross[1] = cross_layer([0.0, 1.0], [0.0, -1.0])
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL] = 2.0
        made.items.weight[NUM_SPECIAL] = 3.0
        made.deep[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        made.deep[0].bias.zero_()
        made.output.weight.copy_(torch.tensor([[0.1, 0.2, 1.0, 5.0]]))
        made.bias.fill_(0.05)
    # x_1 = 2 (2, 3) + (.5, 0) + (2, 3) = (6.5, 9), x_2 = (24.5, 35) as above; deep is (2, 0)
    logit = made(torch.tensor([4]), torch.tensor([4]))
    assert logit.tolist() == pytest.approx([0.05 + 2.45 + 7.0 + 2.0])


def test_the_paper_has_three_cross_layers_and_three_deep_ones_of_a_thousand():
    made = Dcn(DcnSettings(), 1, 1)
    assert len(made.cross) == 3
    assert [layer.out_features for layer in made.deep] == [1000, 1000, 1000]
