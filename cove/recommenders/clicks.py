"""What every click-through recommender is: a logit for each pair of a user and an item.

B pairs, D dimensions.
"""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cove.batches import ClickBatch
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction, UserItemRecommender
from cove.recommenders.dropout import dropout
from cove.row_table import RowTable
from cove.vocabulary import NUM_SPECIAL, PAD


class ClickScorer(UserItemRecommender):
    """Scores pairs by what it learned of the user and of the item.

    An entity that training does not know has the index PAD; after `average_unknown` it is scored
    as the average of all that are known.
    """

    def __init__(
        self,
        dimensions: int,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None,
        item_quantizer: QuantizerSettings | None,
    ) -> None:
        super().__init__(dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.bias = nn.Parameter(torch.zeros(()))

    def ids_in(self, batch: ClickBatch) -> Mapping[str, Tensor]:
        return {"user": batch.users, "item": batch.items}

    @torch.no_grad()
    def start_from_click_rate(self, rate: float) -> None:
        """Let every pair start at the share of clicks in training, 0 to 1."""
        self.bias.copy_(torch.tensor(rate).clamp(1e-6, 1 - 1e-6).logit())

    @abstractmethod
    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        """Logits [B] but for the bias, of indices `users`, `items` [B] int64, whose embeddings are
        `user`, `item` [B, D]."""

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits [B] of the pairs of indices `users` [B], `items` [B]."""
        return self.bias + self.interact(users, items, self.users(users), self.items(items))

    def predict(self, batch: ClickBatch) -> Prediction:
        logits = self(batch.users, batch.items)
        return Prediction(F.binary_cross_entropy_with_logits(logits, batch.labels))

    @torch.no_grad()
    def average_unknown(self) -> None:
        """Give PAD the average of the known in every table: nothing trains on it or reads it
        before. Embeddings: of the category-aware z_c of Eq. 4."""
        for entity in self.entities().values():
            entity.weight[PAD] = entity.all()[NUM_SPECIAL:].mean(dim=0)
        for module in self.modules():
            if isinstance(module, IdWeights):
                module.weight[PAD] = module.weight[NUM_SPECIAL:].mean()


class IdWeights(RowTable):
    """One weight for each entity, the first order of a factorization machine; never quantized."""

    def __init__(self, num_entities: int) -> None:
        super().__init__(torch.zeros(NUM_SPECIAL + num_entities, 1))

    def forward(self, ids: Tensor) -> Tensor:
        """Weights [...] of the indices [...]."""
        return self.look_up(ids).squeeze(-1)


class DenseLayers(nn.Sequential):
    """Layers of `widths` units, each with ReLU and dropout: the deep part of these networks.

    inputs: width of what goes in; states [B, inputs] -> [B, widths[-1]].
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], share: float) -> None:
        super().__init__(*(nn.Linear(*pair) for pair in pairwise((inputs, *widths))))
        self.share = share

    def forward(self, states: Tensor) -> Tensor:
        for layer in self:
            states = dropout(F.relu(layer(states)), self.share, self.training)
        return states
