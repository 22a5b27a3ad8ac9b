"""BPRMF: loss and gradient worked by hand, and against autograd."""

import math

import pytest
import torch
import torch.nn.functional as F

from cove.batches import PairBatch
from cove.recommenders.bprmf import BprMf, BprMfSettings, _ranking_loss
from cove.vocabulary import NUM_SPECIAL


def small(regularization: float) -> BprMf:
    made = BprMf(BprMfSettings(dimensions=2, regularization=regularization), 1, 3)
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 2.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[3.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    return made


def test_a_score_is_the_product_of_user_and_item():
    scores = small(0.0).score_all(torch.tensor([4]))
    assert scores.tolist() == [[3.0, 2.0, -1.0]]


def test_the_loss_is_the_mean_over_negatives_plus_half_the_squared_norms():
    batch = PairBatch(torch.tensor([4]), torch.tensor([4]), torch.tensor([[5, 6]]))
    ranking = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-4))) / 2  # 3 above 2 and −1
    assert small(0.0).predict(batch).loss.item() == pytest.approx(ranking)
    squares = 5 + 9 + (1 + 2) / 2
    assert small(0.1).predict(batch).loss.item() == pytest.approx(ranking + 0.05 * squares)


def test_the_loss_and_the_norms_are_means_over_users():
    one = PairBatch(torch.tensor([4]), torch.tensor([4]), torch.tensor([[5]]))
    two = PairBatch(*(torch.cat([part, part]) for part in one))
    made = small(0.1)
    assert made.predict(two).loss.item() == pytest.approx(made.predict(one).loss.item())


@pytest.mark.parametrize("negatives", [1, 3])
def test_the_written_out_gradient_is_autograds(negatives):
    torch.manual_seed(0)
    user = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    items = torch.randn(1 + negatives, 5, 4, dtype=torch.float64, requires_grad=True)
    scores = (user * items).sum(dim=2)
    norms = user.square().sum() + items[0].square().sum() + items[1:].square().sum() / negatives
    plain = -F.logsigmoid(scores[0] - scores[1:]).mean() + 0.3 / 2 * norms / 5
    written = _ranking_loss(user, items, 0.3)
    assert written.item() == pytest.approx(plain.item())
    expected = torch.autograd.grad(2 * plain, (user, items))
    torch.testing.assert_close(torch.autograd.grad(2 * written, (user, items)), expected)


def test_a_margin_that_overflows_an_exponential_gives_a_finite_loss_and_gradient():
    user = torch.tensor([[200.0]], requires_grad=True)
    items = torch.tensor([[[-1.0]], [[1.0]]], requires_grad=True)
    loss = _ranking_loss(user, items, 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert user.grad.item() == pytest.approx(2)
