"""The codebook classification loss of Section 4.6, by hand."""

import math

import pytest
import torch

from cove.code_prediction import CodePrediction


def heads(sizes: tuple[int, ...]) -> CodePrediction:
    made = CodePrediction(2, sizes)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    return made


def test_heads_that_know_nothing_cost_the_logarithm_of_each_levels_size():
    states, codes = torch.randn(5, 2), torch.tensor([[0, 1]] * 5)
    assert heads((3, 2)).loss(states, codes).item() == pytest.approx(math.log(3) + math.log(2))


def test_the_loss_is_the_mean_over_positions_of_the_sum_over_levels():
    made = heads((2, 1))
    with torch.no_grad():
        made.heads[0].weight.copy_(torch.eye(2))
    states = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    # the first position has the odds 3 : 1 for code 0, the second 1 : 1; level 2 has one code
    loss = made.loss(states, torch.tensor([[0, 0], [1, 0]]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_a_batch_that_hides_nothing_costs_nothing():
    loss = heads((3, 2)).loss(torch.empty(0, 2), torch.empty(0, 2, dtype=torch.int64))
    assert loss.item() == 0


def test_its_gradient_reaches_the_states():
    made, states = CodePrediction(2, (3, 2)), torch.randn(4, 2, requires_grad=True)
    made.loss(states, torch.tensor([[0, 0], [1, 0], [2, 1], [0, 0]])).backward()
    assert (states.grad.abs().sum(dim=1) > 0).all()
