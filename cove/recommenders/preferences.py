"""What every recommender of collaborative filtering is: users' preferences over all items.

B users, M items of each, K of them negatives, D dimensions, U users, N items.
"""

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from itertools import chain
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.batches import PairBatch
from cove.item_index import ItemIndex
from cove.products import PackedTable, Products, best_products
from cove.recommenders.base import Prediction, UserItemRecommender
from cove.retrieval import Barred, top_items
from cove.vocabulary import NUM_SPECIAL, PAD


class PreferenceModel(UserItemRecommender):
    """Scores items for known users, by what it learned of both."""

    index: ItemIndex | None = None
    """Where given, it proposes the items that `top` scores, in the place of all."""
    packed: PackedTable | None = None
    """What `top` scores all items by, where scores are products and no weight changes."""
    _kept: tuple[Hashable, tuple[Tensor, Tensor]] | None = None

    def ids_in(self, batch: PairBatch) -> Mapping[str, Tensor]:
        return {"user": batch.users, "item": candidates(batch)}

    def know_interactions(self, users: Tensor, items: Tensor) -> None:
        """Hear of all training interactions, indices [n] and [n], before training; a recommender
        that works on their graph keeps what it needs."""

    @property
    def hears_interactions(self) -> bool:
        """Whether this recommender does anything with `know_interactions`: else those of a data set
        larger than memory need not be brought there for it."""
        return type(self).know_interactions is not PreferenceModel.know_interactions

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, num_others: int) -> None:
        """Hear of the facts of a knowledge graph, [m] each, before training and before there is an
        optimiser; most have no use.

        heads and tails: item indices, or NUM_SPECIAL + N + i for the i-th of `num_others` further
        entities (brands, categories, people); relations: from 0.
        """

    @abstractmethod
    def interact(self, user: Tensor, items: Tensor) -> Tensor:
        """Scores [B, M] of the final embeddings `user` [B, D] and `items` [B, M, D]."""

    @abstractmethod
    def interact_all(self, user: Tensor, items: Tensor) -> Tensor:
        """The same, [B, N], where all users have the same items; both out of `scored_tables`,
        `user` [B, D] and `items` [N, D]."""

    @abstractmethod
    def predict(self, batch: PairBatch) -> Prediction:
        """The training loss of a batch, L_rec."""

    def tables(self) -> tuple[Tensor, Tensor]:
        """The final embeddings of all users and all items, [NUM_SPECIAL + U or N, D]."""
        return self.users.all(), self.items.all()

    def scored_tables(self) -> tuple[Tensor, Tensor]:
        """What scores are made of, as far as it can be made once: the tables, if nothing else."""
        return self.tables()

    def products(self, users: Tensor) -> Products | None:
        """What the scores of users, [B] indices, are products of, for an index over the items or a
        packed table of them; None where a score is no product with an item's embedding, or more
        than that."""
        return None

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores [B, M] of items [B, M] for users [B], int64 indices: what the loss is made of."""
        return self.interact(self.users(users), self.items(items))

    @torch.no_grad()
    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items, in the vocabulary's order, for users [B] int64 indices; used
        without gradients, in evaluation and serving."""
        user_table, item_table = self._kept_tables()
        return self.interact_all(F.embedding(users, user_table), item_table[NUM_SPECIAL:])

    @torch.no_grad()
    def top(self, users: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        """The k best items of users [B] but for what is barred from each: indices and scores
        [B, k], as `top_items` gives them."""
        products = self.products(users)
        if products is None:
            return top_items(barred.bar(self.score_all(users)), k)
        return best_products(products._replace(packed=self.packed), self.index, k, barred)

    @torch.no_grad()
    def pack(self) -> None:
        self._kept_tables()  # made once, here
        if (products := self.products(torch.tensor([PAD]))) is not None:
            self.packed = PackedTable.of(products.table, products.bias)

    def train(self, mode: bool = True) -> Self:
        """Also forgets the tables that `score_all` and `top` keep."""
        self._kept = self.packed = None
        return super().train(mode)

    def _kept_tables(self) -> tuple[Tensor, Tensor]:
        """`scored_tables`, in evaluation made once for as long as no weight changes.

        A change in place shows in a tensor's version, but not that by a fused optimiser: hence
        nothing is kept in training.
        """
        if self.training:
            return self.scored_tables()
        state = chain(self.parameters(), self.buffers())
        key = tuple(
            (each.data_ptr(), 0 if each.is_inference() else each._version) for each in state
        )
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self.scored_tables())
        return self._kept[1]


def candidates(batch: PairBatch) -> Tensor:
    """The items of a batch, [B, 1 + K]: the positive first, then the negatives."""
    return torch.cat([batch.positives[:, None], batch.negatives], dim=1)


def ranking_loss(scores: Tensor) -> Tensor:
    """−log σ(s_up − s_un) of scores [B, 1 + K], positive first; the mean over B and K."""
    return F.softplus(scores[:, 1:] - scores[:, :1]).mean()


def squared_norms(user: Tensor, items: Tensor) -> Tensor:
    """(‖u‖² + ‖p‖² + mean over K of ‖n‖²) / 2 of `user` [B, D], `items` [B, 1 + K, D]; the mean
    over B."""
    positive, negatives = items[:, 0], items[:, 1:]
    total = user.square().sum() + positive.square().sum()
    total = total + negatives.square().sum() / negatives.shape[1]
    return total / (2 * len(user))
