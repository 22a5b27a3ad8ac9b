"""BERT4Rec (Sun et al., CIKM 2019), completing a list item by item.

Trained as a cloze over whole lists; in about a tenth of the batches only the last item is
masked, as it is when completing. A list is completed autoregressively: a mask is appended, the
best guess takes its place, and so on.

B lists, L positions, D dimensions, N items, M masked positions.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.next_item import NextItemCompleter, states_at
from cove.recommenders.transformer import (
    CatalogueHead,
    TransformerEncoder,
    TransformerSettings,
)
from cove.vocabulary import MASK, NUM_SPECIAL, PAD


class Bert4RecSettings(TransformerSettings):
    """BERT4Rec's own settings beside the encoder's."""

    masking: float = Field(default=0.2, gt=0, le=1)
    """Share of the items masked in training."""
    last_only: float = Field(default=0.1, ge=0, le=1)
    """Share of the batches in which the last item alone is masked."""
    max_generated: int = Field(default=20, ge=1)
    """Items generated one by one; any further ones are ranked by the last step's scores."""


class Bert4Rec(NextItemCompleter):
    """A bidirectional encoder that guesses masked items."""

    def __init__(
        self,
        settings: Bert4RecSettings,
        num_items: int,
        quantizer: QuantizerSettings | None = None,
    ) -> None:
        items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        super().__init__(items, settings.max_length, settings.max_generated)
        self.settings = settings
        self.encoder = TransformerEncoder(settings, settings.max_length + 1)
        self.head = CatalogueHead(num_items)

    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)

    def predict(self, batch: ListBatch) -> Prediction:
        tokens = torch.cat(batch, dim=1)  # [B, L]
        real = tokens != PAD
        rank = real.cumsum(dim=1)
        last = real & (rank == rank[:, -1:])
        if torch.rand(()) < self.settings.last_only:
            hidden = last
        else:
            hidden = (torch.rand(tokens.shape, device=tokens.device) < self.settings.masking) & real
            hidden |= last & ~hidden.any(dim=1, keepdim=True)
        table = self.items.all()
        masked = tokens.masked_fill(hidden, MASK)
        states = self.encoder(masked, F.embedding(masked, table))
        output = states[hidden]  # [M, D]
        wanted = tokens[hidden]
        loss = F.cross_entropy(self.head(output, table), wanted - NUM_SPECIAL)
        return Prediction(loss, output, wanted)

    def next_scores(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        masked = F.pad(tokens, (0, 1)).scatter(1, sizes, MASK)
        states = self.encoder(masked, F.embedding(masked, table))
        scores: Tensor = self.head(states_at(states, sizes), table)
        return scores
