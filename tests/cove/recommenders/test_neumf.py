"""NeuMF: product and network worked by hand."""

import math

import pytest
import torch
from pydantic import ValidationError

import cove.recommenders.neumf as module
from cove.batches import PairBatch
from cove.recommenders.neumf import NeuMf, NeuMfSettings
from cove.vocabulary import NUM_SPECIAL


def small() -> NeuMf:
    """The first two of four values are the product's, the others the network's."""
    made = NeuMf(NeuMfSettings(dimensions=2, widths=(2, 1)), 1, 2).eval()
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 2.0, 1.0, 0.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[3.0, 4.0, 0.0, 2.0], [1.0, 0.0, 1.0, 1.0]])
        made.first.weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, -3.0, 0.0]]))
        made.first.bias.copy_(torch.tensor([0.0, 1.0]))
        made.deep[0].weight.copy_(torch.tensor([[1.0, -2.0]]))
        made.deep[0].bias.fill_(0.5)
        made.output.weight.copy_(torch.tensor([[10.0, 1.0, 2.0]]))
        made.output.bias.fill_(-40.0)
    return made


# item 4: product (3, 8); units ReLU(1 + 4), ReLU(0 + 1), then ReLU(5 − 2 + 0.5)
# item 5: product (1, 0); units ReLU(1 + 2), ReLU(−3 + 1), then ReLU(3 + 0.5)
SCORES = [30 + 8 + 2 * 3.5 - 40, 10 + 2 * 3.5 - 40]


def test_embeddings_start_with_the_papers_spread():
    torch.manual_seed(0)
    made = NeuMf(NeuMfSettings(), 2000, 3000)
    for entity in made.entities().values():
        assert entity.weight[NUM_SPECIAL:].std().item() == pytest.approx(0.01, rel=0.05)
        assert not entity.weight[:NUM_SPECIAL].any()


def test_a_score_adds_product_and_network():
    scores = small()(torch.tensor([4]), torch.tensor([[4, 5]]))
    assert scores.tolist() == [pytest.approx(SCORES)]


@pytest.mark.parametrize("values", [1, 2, 4, 100])  # one item at a time, two; one user, both
def test_a_catalogue_is_scored_in_parts_that_fit_in_memory(monkeypatch, values):
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", {"cpu": values})
    assert small().score_all(torch.tensor([4, 4])).tolist() == [pytest.approx(SCORES)] * 2


def test_the_loss_is_the_cross_entropy_of_positives_and_negatives():
    batch = PairBatch(torch.tensor([4]), torch.tensor([4]), torch.tensor([[5, 4]]))
    expected = [math.log1p(math.exp(-5)), math.log1p(math.exp(-23)), math.log1p(math.exp(5))]
    assert small().predict(batch).loss.item() == pytest.approx(sum(expected) / 3)


@pytest.mark.parametrize("wrong", [{"widths": ()}, {"widths": (8, 0)}, {"dropout": 1.0}])
def test_settings_of_a_network_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        NeuMfSettings(**wrong)
