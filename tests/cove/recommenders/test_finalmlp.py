"""FinalMLP: gates, streams and fusion worked by hand, and what the fusion costs."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from cove.recommenders.finalmlp import BilinearFusion, FinalMlp, FinalMlpSettings, Gate
from cove.vocabulary import NUM_SPECIAL


def set_weights(module: torch.nn.Module, **values: object) -> None:
    with torch.no_grad():
        for name, value in values.items():
            parameter = module.get_parameter(name)
            parameter.copy_(torch.tensor(value, dtype=torch.float32).view(parameter.shape))


def set_gate(gate: Gate, weights: tuple[float, float]) -> None:
    set_weights(gate.hidden[0], weight=1, bias=0)
    set_weights(gate.output, weight=weights, bias=(0, 0))


def test_a_gate_gives_weights_between_0_and_2_by_its_field_alone():
    gate = Gate(1, (1,))
    set_gate(gate, (math.log(3), 0.0))
    weights = gate(torch.tensor([[1.0], [-1.0]]))
    # 2σ(log 3) = 1.5; a shut hidden unit leaves all as it is
    torch.testing.assert_close(weights, torch.tensor([[1.5, 1.0], [1.0, 1.0]]))


def test_the_fusion_adds_both_streams_and_a_bilinear_product_for_each_head():
    fusion = BilinearFusion(4, heads=2)
    set_weights(fusion.first, weight=[1, 0, 0, 1])
    set_weights(fusion.second, weight=[0, 2, 3, 0])
    set_weights(fusion, weight=[[[1, 2], [0, 1]], [[1, 0], [5, 7]]])
    logits = fusion(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, -1.0, 2.0, 0.0]]))
    # head 1: (1, 4) · (1, −1) = −3; head 2: (23, 28) · (2, 0) = 46; streams: 5 and 4
    assert logits.tolist() == pytest.approx([-3 + 46 + 5 + 4])


def test_the_logit_fuses_the_streams_of_the_pair_as_each_gate_weighs_it():
    made = FinalMlp(FinalMlpSettings(dimensions=1, widths=(1,), gate_widths=(1,), heads=1), 1, 1)
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL] = 1.0
        made.items.weight[NUM_SPECIAL] = 2.0
    set_gate(made.user_gate, (math.log(3), 0.0))
    set_gate(made.item_gate, (0.0, math.log(3)))
    set_weights(made.user_stream[0], weight=(2, 1), bias=0)
    set_weights(made.item_stream[0], weight=(1, -1), bias=3)
    set_weights(made.fusion, weight=0.5)
    set_weights(made.fusion.first, weight=0.1)
    set_weights(made.fusion.second, weight=10)
    set_weights(made, bias=0.5)
    # x_1 = (1.5, 2), o_1 = 5; x_2 = (1, 1.8 · 2), o_2 = 1 − 3.6 + 3 = 0.4
    logit = made.eval()(torch.tensor([4]), torch.tensor([4]))
    assert logit.tolist() == pytest.approx([0.5 + 0.5 + 4 + 5 * 0.5 * 0.4])


class LargestResult(TorchDispatchMode):
    """Notes the number of values of the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        given = operation(*arguments, **(named or {}))
        for one in given if isinstance(given, tuple | list) else (given,):
            if isinstance(one, torch.Tensor):
                self.values = max(self.values, one.numel())
        return given


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_the_fusion_costs_no_more_than_a_layer_in_products_and_memory(heads):
    rows, width = 300, 64
    streams = [torch.randn(rows, width, requires_grad=True) for _ in range(2)]
    fusion = BilinearFusion(width, heads)
    with FlopCounterMode(display=False) as ours, LargestResult() as largest:
        fusion(*streams).sum().backward()
    with FlopCounterMode(display=False) as layer:
        torch.nn.Linear(width, width)(streams[0]).sum().backward()
    # w_1 · o_1 and its two gradients come on top: a layer of one unit
    assert ours.get_total_flops() <= layer.get_total_flops() / heads + 6 * rows * width
    assert largest.values == rows * width


def test_heads_that_do_not_divide_the_last_width_are_refused():
    with pytest.raises(ValidationError, match="heads must divide the last of widths, 10: got 3"):
        FinalMlpSettings(widths=(8, 10), heads=3)
