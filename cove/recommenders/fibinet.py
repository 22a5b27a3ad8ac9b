"""FiBiNET (Huang, Zhang and Zhang, RecSys 2019): which field matters, and bilinear products.

SENET weighs the fields, here the user and the item; the embeddings as they are and as weighed
both go through bilinear products, which a deep network reads:

    z_f = mean(v_f),   a = ReLU(W_2 ReLU(W_1 z)),   v'_f = a_f v_f      (squeeze, excite, reweigh)
    p_k = (P_k v_u) ⊙ v_i,   q_k = (Q_k v'_u) ⊙ v'_i,   k = 1 … K       (bilinear interaction)
    logit(u, i) = b + w_u + w_i + w · deep([p_1; …; p_K; q_1; …; q_K])

The paper's three types of bilinear product (one matrix for all, for each field, for each pair of
fields) are one and the same for two fields, which have one pair: there is no setting for it. P and
Q are matrices of their own; were they one, q would be p times the number a_u a_i.

COVE's paper (Section 4.1) sets "the number of feature interaction blocks to 3" and FiBiNET knows no
such number: what is meant stays open. Read here as K, bilinear products side by side; K = 1
is the network as published.

Products of new embeddings are close to zero, and so is what they teach: codes that start before
any training may hold all embeddings together for good. Let them start after some epochs, as
`warmup_epochs` does.

B pairs, D dimensions, K blocks.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer, DenseLayers, IdWeights
from cove.recommenders.deep import DeepSettings


class FibiNetSettings(DeepSettings):
    """FiBiNET's own settings beside those of the deep part."""

    blocks: int = Field(default=3, ge=1)
    """K, bilinear products side by side on each kind of embeddings: our reading of Section 4.1."""
    reduction_ratio: int = Field(default=3, ge=1)
    """SENET's first layer has 2 // ratio units, at least one."""


class SeNet(nn.Module):
    """How much each of two fields matters (squeeze and excitation)."""

    def __init__(self, reduction_ratio: int) -> None:
        super().__init__()
        reduced = max(1, 2 // reduction_ratio)
        self.squeeze = nn.Linear(2, reduced, bias=False)
        self.excite = nn.Linear(reduced, 2, bias=False)
        with torch.no_grad():  # with so few units ReLU is often shut for ever where signs are drawn
            self.squeeze.weight.abs_()
            self.excite.weight.abs_()

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Weights a [B, 2], zero or above, of the fields with embeddings [B, D]."""
        means = torch.stack([user.mean(dim=1), item.mean(dim=1)], dim=1)
        weights: Tensor = F.relu(self.excite(F.relu(self.squeeze(means))))
        return weights


class FibiNet(ClickScorer):
    """A deep network on bilinear products of the embeddings, beside a linear part."""

    def __init__(
        self,
        settings: FibiNetSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        products = 2 * settings.blocks * settings.dimensions
        self.user_weights = IdWeights(num_users)
        self.item_weights = IdWeights(num_items)
        self.senet = SeNet(settings.reduction_ratio)
        self.bilinear = nn.Linear(settings.dimensions, products, bias=False)
        self.deep = DenseLayers(products, settings.widths, settings.dropout)
        self.output = nn.Linear(settings.widths[-1], 1, bias=False)

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        first_order: Tensor = self.user_weights(users) + self.item_weights(items)
        deep: Tensor = self.output(self.deep(self._products(user, item).flatten(1)))
        return first_order + deep.squeeze(1)

    def _products(self, user: Tensor, item: Tensor) -> Tensor:
        """p_1 … p_K and q_1 … q_K, [B, 2, K, D]."""
        shape = (len(user), 2, self.settings.blocks, self.settings.dimensions)
        projected = self.bilinear(user).view(shape)
        # q holds a_u a_i as a factor: one matrix product makes both p and q
        weighed = self.senet(user, item).prod(dim=1)
        factors = torch.stack([torch.ones_like(weighed), weighed], dim=1)  # [B, 2]
        products: Tensor = projected * (factors[:, :, None] * item[:, None])[:, :, None]
        return products
