"""GRU4Rec (Hidasi et al., ICLR 2016): a recurrent network, every position guesses the next item.

    r_t = σ(W_r x_t + U_r h_{t−1})        z_t = σ(W_z x_t + U_z h_{t−1})
    ĥ_t = tanh(W x_t + r_t ∘ U h_{t−1})   h_t = (1 − z_t) ĥ_t + z_t h_{t−1}

a layer (each product with a bias), x the layer below. Trained on whole lists, both halves joined,
with full cross-entropy: the paper's pairwise losses sample their negatives from the batch, which
later work, the authors' own included, found to be the weaker choice. The items are embedded and the
scores tied to those embeddings, where the paper has one-hot inputs and an output layer of its own.

B lists, L positions, D dimensions, N items, M predicted positions.
"""

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.dropout import dropout
from cove.recommenders.next_item import NextItemCompleter, last_states, next_items
from cove.recommenders.recurrence import run_layers
from cove.vocabulary import PAD


class Gru4RecSettings(BaseModel):
    """Size of the network; the defaults are Section 4.1's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of embeddings and hidden states."""
    layers: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """After the embeddings and between layers."""
    max_length: int = Field(default=200, ge=2)
    """Longest list, both halves; a longer one keeps its last items."""
    max_generated: int = Field(default=20, ge=1)
    """Items generated one by one; any further ones are ranked by the last step's scores."""


class Gru4Rec(NextItemCompleter):
    """Gated recurrent layers whose last state scores the next item."""

    def __init__(
        self,
        settings: Gru4RecSettings,
        num_items: int,
        quantizer: QuantizerSettings | None = None,
    ) -> None:
        items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        super().__init__(items, settings.max_length, settings.max_generated)
        self.settings = settings
        size, layers = settings.dimensions, settings.layers
        between = settings.dropout if layers > 1 else 0.0  # torch warns of a dropout that is unused
        self.recurrent = nn.GRU(size, size, layers, batch_first=True, dropout=between)
        self.output = nn.Linear(size, size)
        self.head = CatalogueHead(num_items)

    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)

    def _states(self, tokens: Tensor, table: Tensor) -> Tensor:
        """States [B, L, D]; padding on the right comes after all that a list's own states see."""
        embedded = dropout(F.embedding(tokens, table), self.settings.dropout, self.training)
        sizes = (tokens != PAD).sum(dim=1).clamp(min=1)
        if self.training and embedded.device.type == "cpu":
            hidden = run_layers(self.recurrent, embedded, sizes, self.settings.dropout)
        else:
            hidden, _ = self.recurrent(embedded)
        states: Tensor = self.output(hidden)
        return states

    def predict(self, batch: ListBatch) -> Prediction:
        tokens, following = next_items(batch, self.max_length)
        table = self.items.all()
        known = following != PAD
        output, wanted = self._states(tokens, table)[known], following[known]  # [M, D], [M]
        return Prediction(self.head.loss(output, table, wanted), output, wanted)

    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        tokens = F.pad(tokens, (0, max(0, 1 - tokens.shape[1])), value=PAD)
        return last_states(self._states(tokens, table), sizes)
