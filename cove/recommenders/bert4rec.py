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
from cove.recommenders.base import ListCompleter, Prediction, last_items, top_items
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


class Bert4Rec(ListCompleter):
    """A bidirectional encoder that guesses masked items."""

    def __init__(
        self,
        settings: Bert4RecSettings,
        num_items: int,
        quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.items = EntityEmbedding(num_items, settings.dimensions, quantizer)
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

    def _scores_per_list(self, length: int, k: int) -> int:
        return self.items.num_entities + NUM_SPECIAL + (length + k) * self.settings.dimensions

    def _complete(self, inputs: Tensor, k: int, forbidden: Tensor) -> tuple[Tensor, Tensor]:
        steps = min(k, self.settings.max_generated)
        tokens = F.pad(last_items(inputs, max(1, self.settings.max_length - steps)), (0, steps))
        sizes = (tokens != PAD).sum(dim=1, keepdim=True)  # [B, 1]
        table, banned = self.items.all(), forbidden.clone()
        chosen, scores = [], []
        for step in range(steps):
            tokens.scatter_(1, sizes + step, MASK)
            seen = tokens[:, : int(sizes.max()) + step + 1]
            states = self.encoder(seen, F.embedding(seen, table))
            at_mask = states.gather(1, (sizes + step)[:, :, None].expand(-1, -1, states.shape[2]))
            ranked = self.head(at_mask.squeeze(1), table)
            ranked = ranked.masked_fill(banned[:, NUM_SPECIAL:], -torch.inf)
            wanted = 1 if step < steps - 1 else k - step  # the last step ranks all that is left
            best, values = top_items(ranked, wanted)
            banned.scatter_(1, best, True)
            tokens.scatter_(1, sizes + step, best[:, :1])
            chosen.append(best)
            scores.append(values)
        return torch.cat(chosen, dim=1), torch.cat(scores, dim=1)
