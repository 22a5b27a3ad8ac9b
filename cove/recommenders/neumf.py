"""NeuMF: a product and a network side by side (He et al., WWW 2017).

    s_ui = h · [u_G ⊙ i_G; MLP([u_M; i_M])] + b    (the paper's Eq. 12)
    L = mean of −log σ(s_up) and −log σ(−s_un) over the batch's positives and negatives

The paper gives the product (GMF) and the network (MLP) embeddings of their own. Here these are the
two halves of one row of 2D, so that an entity has one embedding, and with COVE one category.

B users, M items of each, D dimensions, N items.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import PairBatch
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.clicks import DenseLayers
from cove.recommenders.dropout import dropout
from cove.recommenders.preferences import PreferenceModel, candidates
from cove.vocabulary import NUM_SPECIAL

_EMBEDDING_SCALE = 0.01
"""Standard deviation of a new embedding (the paper's Section 4.1). With twice as much ten epochs on
`toys` end at NDCG@10 .0092 and .0098 for .0110 and .0115 (seeds 0 and 1)."""
_VALUES_AT_ONCE = {"cpu": 1 << 18}
"""Units of a layer held in memory while a catalogue is scored, by device: what a CPU's cache holds
(3.1 ms a user of 11,925 items; 3.9 with sixteen times as many)."""
_VALUES_AT_ONCE_ELSEWHERE = 1 << 26
"""A quarter of a gigabyte."""


class NeuMfSettings(BaseModel):
    """Size and noise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of each half."""
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(128, 64), min_length=1)
    """Units of each layer of the network."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the units dropped after each layer in training; the paper has none."""


class NeuMf(PreferenceModel):
    """One linear output over the product and the network's last layer."""

    def __init__(
        self,
        settings: NeuMfSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        width = 2 * settings.dimensions
        super().__init__(width, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        for entity in (self.users, self.items):
            nn.init.normal_(entity.weight.data[NUM_SPECIAL:], std=_EMBEDDING_SCALE)
        self.first = nn.Linear(width, settings.widths[0])
        self.deep = DenseLayers(settings.widths[0], settings.widths[1:], settings.dropout)
        self.output = nn.Linear(settings.dimensions + settings.widths[-1], 1)

    def interact(self, user: Tensor, items: Tensor) -> Tensor:
        of_user, of_items = self._first_layer(user, items)
        return self._score(user, items, of_user[:, None] + of_items)

    def interact_all(self, user: Tensor, items: Tensor) -> Tensor:
        of_user, of_items = self._first_layer(user, items)
        width, count = of_items.shape[1], len(items)
        values = _VALUES_AT_ONCE.get(user.device.type, _VALUES_AT_ONCE_ELSEWHERE)
        users_at_once = max(1, values // max(1, count * width))
        items_at_once = max(1, values // (users_at_once * width))
        scores = user.new_empty(len(user), count)
        for row in range(0, len(user), users_at_once):
            some = slice(row, row + users_at_once)
            for start in range(0, count, items_at_once):
                part = slice(start, start + items_at_once)
                hidden = of_user[some, None] + of_items[part]
                scores[some, part] = self._score(user[some], items[part], hidden)
        return scores

    def predict(self, batch: PairBatch) -> Prediction:
        scores = self(batch.users, candidates(batch))
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        return Prediction(F.binary_cross_entropy_with_logits(scores, labels))

    def _first_layer(self, user: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """The first layer's parts of user [B, 2D] and items [..., 2D], to be added: each is needed
        once, however many pairs there are."""
        size = self.settings.dimensions
        of_user, of_items = self.first.weight[:, :size], self.first.weight[:, size:]
        return (
            F.linear(user[:, size:], of_user, self.first.bias),
            F.linear(items[..., size:], of_items),
        )

    def _score(self, user: Tensor, items: Tensor, hidden: Tensor) -> Tensor:
        """Scores [B, M] from embeddings [B, 2D], [B, M, 2D] or [M, 2D], first layer [B, M, ...]."""
        size, (product, network) = self.settings.dimensions, self._output_parts()
        deep = self.deep(dropout(F.relu(hidden), self.settings.dropout, self.training))
        weighted = (user[:, :size] * product)[:, :, None]
        scores = torch.matmul(items[..., :size], weighted).squeeze(2)  # h_G · (u ⊙ i), [B, M]
        return scores + F.linear(deep, network, self.output.bias).squeeze(2)

    def _output_parts(self) -> tuple[Tensor, Tensor]:
        """h in two: of the product [1, D] and of the network [1, widths[-1]]."""
        size = self.settings.dimensions
        return self.output.weight[:, :size], self.output.weight[:, size:]
