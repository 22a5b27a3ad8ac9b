"""Dropout from bulk random words."""

import pytest
import torch

from cove.recommenders.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_is_zero_and_the_rest_is_scaled_so_that_the_mean_stays(share):
    torch.manual_seed(0)
    found = dropout(torch.ones(400, 501), share, True)
    assert (found == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert found.unique().tolist() == pytest.approx([0, 1 / (1 - share)], rel=1e-3)


def test_neighbours_that_share_a_random_word_are_dropped_independently():
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(50_000, 4), 0.3, True) == 0).float()
    together = (dropped.t() @ dropped) / len(dropped)
    off_diagonal = together[~torch.eye(4, dtype=torch.bool)]
    assert off_diagonal.tolist() == pytest.approx([0.09] * 12, abs=0.01)


def test_the_gradient_passes_where_a_value_was_kept():
    values = torch.ones(1000, requires_grad=True)
    found = dropout(values, 0.25, True)
    found.sum().backward()
    torch.testing.assert_close(values.grad, found.detach())


def test_nothing_is_dropped_outside_training_or_where_the_share_is_zero():
    values = torch.randn(7)
    assert dropout(values, 0.5, False) is values
    assert dropout(values, 0.0, True) is values
