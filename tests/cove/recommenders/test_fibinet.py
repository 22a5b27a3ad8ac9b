"""FiBiNET: SENET and the bilinear products, worked by hand."""

import pytest
import torch

from cove.recommenders.fibinet import FibiNet, FibiNetSettings, SeNet
from cove.vocabulary import NUM_SPECIAL


def made(blocks: int = 1) -> FibiNet:
    """The user (1, 3), the item (2, −4), and weights that make a = (3, 1.5)."""
    network = FibiNet(FibiNetSettings(dimensions=2, widths=(1,), blocks=blocks), 1, 1).eval()
    with torch.no_grad():
        network.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 3.0]])
        network.items.weight[NUM_SPECIAL:] = torch.tensor([[2.0, -4.0]])
        network.senet.squeeze.weight.copy_(torch.tensor([[1.0, 0.5]]))
        network.senet.excite.weight.copy_(torch.tensor([[2.0], [1.0]]))
    return network


def test_senet_weighs_the_fields_by_the_means_of_their_embeddings():
    network = made()
    user, item = torch.tensor([[1.0, 3.0], [-1.0, -3.0]]), torch.tensor([[2.0, -4.0], [2.0, -4.0]])
    # means (2, −1) make 1.5 in the middle; (−2, −1) make −2.5, which ReLU shuts
    assert network.senet(user, item).tolist() == [[3.0, 1.5], [0.0, 0.0]]


def test_the_logit_reads_the_products_of_plain_and_of_weighed_embeddings():
    network = made()
    swap, same = [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    with torch.no_grad():
        network.bilinear.weight.copy_(torch.tensor(swap + same))
        network.deep[0].weight.copy_(torch.tensor([[1.0, 1.0, 1.0, 0.1]]))
        network.deep[0].bias.zero_()
        network.output.weight.fill_(2.0)
        network.user_weights.weight[NUM_SPECIAL] = 0.5
        network.item_weights.weight[NUM_SPECIAL] = 0.25
        network.bias.fill_(1.0)
    # p = (3, 1) ⊙ (2, −4) = (6, −4); q = 3 (1, 3) ⊙ 1.5 (2, −4) = (9, −54); the unit is 5.6
    logit = network(torch.tensor([4]), torch.tensor([4]))
    assert logit.tolist() == pytest.approx([1.0 + 0.5 + 0.25 + 2 * 5.6])


def test_every_block_has_its_own_matrices_for_both_kinds_of_embeddings():
    network = made(blocks=3)
    with torch.no_grad():
        for block in range(6):
            network.bilinear.weight[2 * block : 2 * block + 2] = (block + 1) * torch.eye(2)
    products = network._products(network.users.weight[4:], network.items.weight[4:])
    plain = torch.tensor([2.0, -12.0])
    factors = torch.tensor([[1.0, 2.0, 3.0], [4 * 4.5, 5 * 4.5, 6 * 4.5]])
    torch.testing.assert_close(products[0], factors[:, :, None] * plain)


def test_no_seed_starts_with_a_field_that_senet_shuts_for_ever():
    for seed in range(20):
        torch.manual_seed(seed)
        senet = SeNet(reduction_ratio=3)
        assert (senet(torch.ones(1, 4), torch.ones(1, 4)) > 0).all()
