"""DeepFM: its three parts worked by hand."""

import pytest
import torch
from pydantic import ValidationError

from cove.recommenders.deepfm import DeepFm, DeepFmSettings
from cove.vocabulary import NUM_SPECIAL


def test_the_logit_adds_first_order_product_and_deep_part():
    made = DeepFm(DeepFmSettings(dimensions=2, widths=(2,)), 1, 1).eval()
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 2.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[3.0, -1.0]])
        made.user_weights.weight[NUM_SPECIAL] = 0.5
        made.item_weights.weight[NUM_SPECIAL] = 0.25
        made.deep[0].weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 1.0, 0.0]]))
        made.deep[0].bias.copy_(torch.tensor([0.0, -4.0]))
        made.output.weight.copy_(torch.tensor([[7.0, 2.0]]))
        made.bias.fill_(-0.75)
    # product 3 − 2; deep units ReLU(1 − 2) and ReLU(2 + 3 − 4)
    logit = made(torch.tensor([4]), torch.tensor([4]))
    assert logit.tolist() == pytest.approx([-0.75 + 0.5 + 0.25 + 1.0 + 2.0])


@pytest.mark.parametrize(
    "wrong", [{"widths": ()}, {"widths": (8, 0)}, {"dropout": 1.0}, {"layers": 3}]
)
def test_settings_of_a_deep_part_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        DeepFmSettings(**wrong)
