"""The written-out gradient of gated recurrent layers, against torch's own."""

import pytest
import torch

from cove.recommenders.recurrence import run_layers


@pytest.mark.parametrize("layers", [1, 3])
def test_states_and_every_gradient_are_those_of_torchs_layers(layers):
    torch.manual_seed(0)
    made = torch.nn.GRU(5, 5, layers, batch_first=True).double()
    embedded = torch.randn(4, 6, 5, dtype=torch.float64, requires_grad=True)
    sizes = torch.tensor([3, 6, 1, 4])
    real = (torch.arange(6) < sizes[:, None])[:, :, None]
    weights = torch.randn(4, 6, 5, dtype=torch.float64)
    theirs = made(embedded)[0] * real
    ours = run_layers(made, embedded, sizes, 0.0)
    torch.testing.assert_close(ours, theirs)
    inputs = [embedded, *made.parameters()]
    expected = torch.autograd.grad((theirs * weights).sum(), inputs)
    for found, wanted in zip(
        torch.autograd.grad((ours * weights).sum(), inputs), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_dropout_lies_between_layers_alone():
    torch.manual_seed(0)
    embedded, sizes = torch.randn(2, 3, 4), torch.tensor([3, 2])
    single, double = (torch.nn.GRU(4, 4, n, batch_first=True) for n in (1, 2))
    whole = run_layers(single, embedded, sizes, 0.9)
    torch.testing.assert_close(whole[0], single(embedded)[0][0])
    assert not torch.allclose(run_layers(double, embedded, sizes, 0.9)[0], double(embedded)[0][0])
