"""The catalogue's cross-entropy, block by block, against torch's."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from cove.recommenders import catalogue
from cove.recommenders.catalogue import CatalogueHead
from cove.vocabulary import NUM_SPECIAL, PAD


@pytest.mark.parametrize("at_once", [1, 40, 1 << 19], ids=["one row", "4 rows", "all rows"])
def test_loss_and_gradients_are_those_of_one_cross_entropy(at_once, monkeypatch):
    monkeypatch.setattr(catalogue, "_SCORES_AT_ONCE", {"cpu": at_once})
    monkeypatch.setattr(catalogue, "_FEWEST_AT_ONCE", 1)
    torch.manual_seed(0)
    head = CatalogueHead(10).double()
    head.bias.data.normal_()
    states = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    table = torch.randn(NUM_SPECIAL + 10, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([4, 13, 4, 9, 7, 7, 12])
    inputs = [states, table, head.bias]
    expected = F.cross_entropy(head(states, table), targets - NUM_SPECIAL)
    found = head.loss(states, table, targets)
    torch.testing.assert_close(found, expected)
    gradients = torch.autograd.grad(3 * found, inputs)
    for one, wanted in zip(gradients, torch.autograd.grad(3 * expected, inputs), strict=True):
        torch.testing.assert_close(one, wanted)


@pytest.mark.parametrize("at_once", [1, 1 << 19], ids=["one row", "all rows"])
def test_states_may_be_asked_for_several_items_or_for_none(at_once, monkeypatch):
    monkeypatch.setattr(catalogue, "_SCORES_AT_ONCE", {"cpu": at_once})
    monkeypatch.setattr(catalogue, "_FEWEST_AT_ONCE", 1)
    torch.manual_seed(0)
    head = CatalogueHead(10).double()
    states = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    table = torch.randn(NUM_SPECIAL + 10, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[4, 13, 4], [PAD, PAD, PAD], [9, PAD, PAD]])
    of_each = torch.tensor([0, 0, 0, 2])
    expected = head.loss(states[of_each], table, torch.tensor([4, 13, 4, 9]))
    found = head.loss(states, table, targets)
    torch.testing.assert_close(found, expected)
    for one, wanted in zip(
        torch.autograd.grad(found, [states, table, head.bias]),
        torch.autograd.grad(expected, [states, table, head.bias]),
        strict=True,
    ):
        torch.testing.assert_close(one, wanted)


def test_no_tensor_grows_with_positions_times_items(monkeypatch):
    monkeypatch.setattr(catalogue, "_SCORES_AT_ONCE", {"cpu": 1})
    head, sizes = CatalogueHead(1000), []
    table = torch.randn(NUM_SPECIAL + 1000, 2, requires_grad=True)
    states = torch.randn(500, 2, requires_grad=True)

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            sizes.append(result.numel() if isinstance(result, torch.Tensor) else 0)
            return result

    with Watching():
        head.loss(states, table, torch.full((500,), NUM_SPECIAL)).backward()
    assert max(sizes) == 16 * 1000  # a block's scores, of half a million in all


def test_an_item_that_seems_impossible_has_a_large_but_finite_loss():
    states, table = torch.tensor([[1000.0]]), torch.zeros(NUM_SPECIAL + 2, 1)
    table[NUM_SPECIAL] = 1.0
    loss = CatalogueHead(2).loss(states, table, torch.tensor([NUM_SPECIAL + 1]))
    assert loss.item() == pytest.approx(1000.0)


def test_nothing_to_predict_is_no_loss_and_no_gradient():
    table = torch.randn(NUM_SPECIAL + 5, 3, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    loss = CatalogueHead(5).loss(torch.zeros(0, 3), table, nothing)
    loss.backward()
    assert loss.item() == 0
    assert not table.grad.any()
