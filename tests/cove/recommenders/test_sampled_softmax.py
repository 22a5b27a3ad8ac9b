"""The sampled softmax of cosines: worked by hand, and against the whole catalogue's."""

import math

import pytest
import torch
import torch.nn.functional as F

from cove.batches import PairBatch
from cove.recommenders.bprmf import BprMf, BprMfSettings
from cove.recommenders.lightgcn import LightGcn, LightGcnSettings
from cove.recommenders.product_model import directions, sampled_softmax
from cove.vocabulary import NUM_SPECIAL


def test_the_loss_worked_by_hand():
    user = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    items = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [3.0, 0.0]])
    positives, negatives = torch.tensor([4, 5]), torch.tensor([6, 4])  # 4 is the first's positive
    first = -2 + math.log(math.exp(2) + 5 * math.exp(1))
    second = -2 + math.log(math.exp(2) + 5 * (math.exp(2) + math.exp(0)))
    loss = sampled_softmax(user, items, positives, negatives, num_items=10)
    assert loss.item() == pytest.approx((first + second) / 2)


def test_with_all_other_items_as_negatives_it_is_the_softmax_over_the_catalogue():
    torch.manual_seed(0)
    user, table = torch.randn(3, 4), torch.randn(6, 4)
    positives, negatives = torch.tensor([4, 7, 9]), torch.arange(6) + NUM_SPECIAL
    items = torch.cat([table[positives - NUM_SPECIAL], table])
    whole = F.cross_entropy(user @ table.T, positives - NUM_SPECIAL)
    assert sampled_softmax(user, items, positives, negatives, 6).item() == pytest.approx(
        whole.item(), rel=1e-5
    )


def test_a_product_of_directions_is_the_cosine_over_the_temperature():
    one, other = directions(torch.tensor([[3.0, 4.0], [0.0, 0.1]]), temperature=0.25)
    assert (one @ other).item() == pytest.approx(0.8 / 0.25)


def embeddings(made: BprMf | LightGcn) -> BprMf | LightGcn:
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[3.0, 4.0], [0.0, 1.0], [2.0, 0.0]])
    return made


@pytest.mark.parametrize("kind", [(BprMf, BprMfSettings), (LightGcn, LightGcnSettings)])
def test_all_users_of_a_batch_share_its_negatives_and_scores_are_cosines(kind):
    model, settings = kind  # a graph without interactions spreads nothing, and cosines stay
    given = settings(dimensions=2, loss="softmax", temperature=0.5, regularization=0.0)
    made = embeddings(model(given, 2, 3))
    scores = made.score_all(torch.tensor([4, 5]))
    torch.testing.assert_close(scores, torch.tensor([[1.2, 0.0, 2.0], [1.6, 2.0, 0.0]]))
    batch = PairBatch(torch.tensor([4, 5]), torch.tensor([6, 5]), torch.tensor([[4], [6]]))
    drawn = math.log(3 / 2)  # 3 items, 2 negatives
    first = -2.0 + math.log(math.exp(2.0) + math.exp(1.2 + drawn))  # its own 6 left out
    second = -2.0 + math.log(math.exp(2.0) + math.exp(1.6 + drawn) + math.exp(0.0 + drawn))
    assert made.predict(batch).loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_the_regularization_of_bpr_is_off():
    settings = BprMfSettings(dimensions=2, loss="softmax", regularization=9.0)
    other = settings.model_copy(update={"regularization": 0.0})
    batch = PairBatch(torch.tensor([4, 5]), torch.tensor([6, 5]), torch.tensor([[4], [6]]))
    losses = [embeddings(BprMf(each, 2, 3)).predict(batch).loss for each in (settings, other)]
    assert losses[0].item() == losses[1].item()
