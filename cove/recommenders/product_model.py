"""What recommenders share whose score is a product of two vectors: BPRMF and LightGCN.

    bpr:      s_ui = <u, i>
    softmax:  s_ui = cos(u, i) / τ, and the loss is that of the positive among the batch's negatives

B users, M items of each, or M negatives of a batch, D dimensions, N items.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from cove.products import Products
from cove.recommenders.preferences import PreferenceModel


class ProductSettings(BaseModel):
    """What those have in common whose score is a product."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D."""
    loss: Literal["bpr", "softmax"] = "bpr"
    """That of a pair, or of the positive among the batch's negatives (`sampled_softmax`). `toys`,
    BPRMF, 30 epochs, validation NDCG@10: bpr .0343, softmax .0503."""
    temperature: float = Field(default=0.15, gt=0)
    """τ, of `softmax` alone. The same with 0.1, 0.15, 0.2, 0.3: .0485, .0503, .0485, .0435."""


class ProductModel(PreferenceModel):
    """Scores by a product of final embeddings, or, with `loss=softmax`, by their cosine over τ."""

    settings: ProductSettings

    def interact(self, user: Tensor, items: Tensor) -> Tensor:
        return (self.scored(user)[:, None] * self.scored(items)).sum(dim=-1)

    def interact_all(self, user: Tensor, items: Tensor) -> Tensor:
        return user @ items.T

    def scored_tables(self) -> tuple[Tensor, Tensor]:
        users, items = self.tables()
        return self.scored(users), self.scored(items)

    def products(self, users: Tensor) -> Products:
        user_table, item_table = (table.detach() for table in self._kept_tables())
        bias = user_table.new_zeros(1).expand(self.items.num_entities)
        return Products(F.embedding(users, user_table), item_table, bias)

    def scored(self, embeddings: Tensor) -> Tensor:
        """What a score is the product of: final embeddings [..., D], or what becomes of them."""
        if self.settings.loss == "bpr":
            return embeddings
        return directions(embeddings, self.settings.temperature)


def sampled_softmax(
    user: Tensor, items: Tensor, positives: Tensor, negatives: Tensor, num_items: int
) -> Tensor:
    """−log of the positive's share among all items, Σ over these estimated from the batch's
    negatives, which all its users have in common; the mean over B.

        −s_up + log [exp s_up + N / M Σ over the negatives n but p of exp s_un]

    user: [B, D]; items: [B + M, D], those of `positives` [B], then those of `negatives` [M], int64
    indices of items; scores are products.
    """
    own = (user * items[: len(user)]).sum(dim=1)  # [B]
    scores = user @ items[len(user) :].T + math.log(num_items / len(negatives))  # [B, M]
    scores = scores.masked_fill(negatives == positives[:, None], -torch.inf)
    return (torch.cat([own[:, None], scores], dim=1).logsumexp(dim=1) - own).mean()


def directions(embeddings: Tensor, temperature: float) -> Tensor:
    """Embeddings [..., D] at the length 1 / √τ: a product of two is their cosine over τ."""
    return F.normalize(embeddings, dim=-1) / math.sqrt(temperature)
