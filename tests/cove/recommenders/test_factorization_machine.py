"""The factorization machine: its logit worked by hand, for known and unknown entities."""

import pytest
import torch

from cove.quantization import QuantizerSettings
from cove.recommenders.factorization_machine import (
    FactorizationMachine,
    FactorizationMachineSettings,
)
from cove.vocabulary import NUM_SPECIAL, PAD


def made(user_quantizer: QuantizerSettings | None = None) -> FactorizationMachine:
    settings = FactorizationMachineSettings(dimensions=2)
    machine = FactorizationMachine(settings, 2, 1, user_quantizer)
    with torch.no_grad():
        machine.bias.fill_(-1.0)
        machine.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
        machine.items.weight[NUM_SPECIAL:] = torch.tensor([[3.0, -1.0]])
        machine.user_weights.weight[NUM_SPECIAL:] = torch.tensor([[0.5], [1.5]])
        machine.item_weights.weight[NUM_SPECIAL:] = torch.tensor([[0.25]])
    return machine.eval()


def test_the_logit_adds_bias_weights_and_the_product_of_the_embeddings():
    logits = made()(torch.tensor([4, 5]), torch.tensor([4, 4]))
    # (1, 2) · (3, −1) = 1 and (3, 0) · (3, −1) = 9
    assert logits.tolist() == pytest.approx([-1 + 0.5 + 0.25 + 1, -1 + 1.5 + 0.25 + 9])


def test_an_unknown_user_is_the_average_of_the_known_in_weight_and_embedding():
    machine = made()
    machine.average_unknown()
    logits = machine(torch.tensor([PAD]), torch.tensor([4]))
    # the average user has the weight 1 and the embedding (2, 1), whose product is 5
    assert logits.tolist() == pytest.approx([-1 + 1 + 0.25 + 5])


def test_the_average_of_users_with_cove_is_that_of_their_category_aware_embeddings():
    machine = made(QuantizerSettings(code_sizes=(1,), alpha=0.5))
    machine.users.start_codes(0)
    with torch.no_grad():
        machine.users.quantizer.codebooks[0].copy_(torch.tensor([[2.0, -2.0]]))
    machine.average_unknown()
    logits = machine(torch.tensor([4, PAD]), torch.tensor([4, 4]))
    # half the code is (1, −1): user 4 is (2, 1), the average (3, 0)
    assert logits.tolist() == pytest.approx([-1 + 0.5 + 0.25 + 5, -1 + 1 + 0.25 + 9])
