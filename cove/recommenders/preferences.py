"""What every recommender of collaborative filtering is: users' preferences over all items.

B users, K items of each, D dimensions, U users, N items.
"""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from cove.batches import PairBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction, Recommender


class PreferenceModel(Recommender):
    """Scores items for known users, by what it learned of both."""

    def __init__(
        self,
        dimensions: int,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None,
        item_quantizer: QuantizerSettings | None,
    ) -> None:
        super().__init__()
        self.users = EntityEmbedding(num_users, dimensions, user_quantizer)
        self.items = EntityEmbedding(num_items, dimensions, item_quantizer)

    def entities(self) -> Mapping[str, EntityEmbedding]:
        return {"user": self.users, "item": self.items}

    def ids_in(self, batch: PairBatch) -> Mapping[str, Tensor]:
        return {
            "user": batch.users,
            "item": torch.cat([batch.positives, batch.negatives.flatten()]),
        }

    def know_interactions(self, users: Tensor, items: Tensor) -> None:
        """Hear of all training interactions, indices [n] and [n], before training; a recommender
        that works on their graph keeps what it needs."""

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, num_others: int) -> None:
        """Hear of the facts of a knowledge graph, [m] each, before training; most have no use.

        heads and tails: item indices, or NUM_SPECIAL + N + i for the i-th of `num_others` further
        entities (brands, categories, people); relations: from 0.
        """

    @abstractmethod
    def predict(self, batch: PairBatch) -> Prediction:
        """The training loss of a batch, L_rec."""

    @abstractmethod
    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items, in the vocabulary's order, for users [B] int64 indices; used
        without gradients, in evaluation and serving."""
