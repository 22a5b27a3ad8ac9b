"""DeepFM (Guo et al., IJCAI 2017; the longer version of 2018): a factorization machine and a deep
network on the same embeddings.

    logit(u, i) = b + w_u + w_i + <v_u, v_i> + w · deep([v_u; v_i])    (the paper's Eq. 1 to 4)

B pairs, D dimensions, W units of the last deep layer.
"""

import torch
from torch import Tensor, nn

from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer, DenseLayers, IdWeights
from cove.recommenders.deep import DeepSettings


class DeepFmSettings(DeepSettings):
    """DeepFM has no setting of its own beside those of the deep part."""


class DeepFm(ClickScorer):
    """Sums first order, product and deep part, whose last layer shares the bias."""

    def __init__(
        self,
        settings: DeepFmSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self.user_weights = IdWeights(num_users)
        self.item_weights = IdWeights(num_items)
        self.deep = DenseLayers(2 * settings.dimensions, settings.widths, settings.dropout)
        self.output = nn.Linear(settings.widths[-1], 1, bias=False)

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        first_order: Tensor = self.user_weights(users) + self.item_weights(items)
        second_order = (user * item).sum(dim=1)
        deep: Tensor = self.output(self.deep(torch.cat([user, item], dim=1))).squeeze(1)
        return first_order + second_order + deep
