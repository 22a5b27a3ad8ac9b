"""Logistic regression: a sum worked by hand, and no place for COVE."""

import pytest
import torch

from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders.logistic_regression import LogisticRegression, LogisticRegressionSettings
from cove.vocabulary import NUM_SPECIAL, PAD


def made() -> LogisticRegression:
    regression = LogisticRegression(LogisticRegressionSettings(), 2, 2)
    with torch.no_grad():
        regression.bias.fill_(0.1)
        regression.users.weight[NUM_SPECIAL:] = torch.tensor([[0.5], [2.5]])
        regression.items.weight[NUM_SPECIAL:] = torch.tensor([[-0.25], [1.0]])
    return regression.eval()


def test_the_logit_is_the_bias_and_the_weights_of_the_user_and_the_item():
    logits = made()(torch.tensor([4, 5]), torch.tensor([4, 5]))
    assert logits.tolist() == pytest.approx([0.1 + 0.5 - 0.25, 0.1 + 2.5 + 1.0])


def test_an_unknown_user_has_the_average_weight():
    regression = made()
    regression.average_unknown()
    logits = regression(torch.tensor([PAD]), torch.tensor([5]))
    assert logits.tolist() == pytest.approx([0.1 + 1.5 + 1.0])


def test_every_weight_starts_at_zero():
    regression = LogisticRegression(LogisticRegressionSettings(), 3, 3)
    assert not any(parameter.any() for parameter in regression.parameters())


@pytest.mark.parametrize("place", ["user_quantizer", "item_quantizer"])
def test_cove_on_it_is_refused(place):
    quantizer = QuantizerSettings(code_sizes=(2,))
    with pytest.raises(SettingsError, match="no embeddings that COVE could be on"):
        LogisticRegression(LogisticRegressionSettings(), 3, 3, **{place: quantizer})
