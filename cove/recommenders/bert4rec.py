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
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.next_item import NextItemCompleter
from cove.recommenders.transformer import TransformerEncoder, TransformerSettings
from cove.vocabulary import MASK, PAD


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
        places, chosen = places_of(hidden)  # [B, P]
        output = self.encoder(masked, F.embedding(masked, table), places)[chosen]  # [M, D]
        wanted = tokens.gather(1, places)[chosen]
        return Prediction(self.head.loss(output, table, wanted), output, wanted)

    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        masked = F.pad(tokens, (0, 1)).scatter(1, sizes, MASK)
        states: Tensor = self.encoder(masked, F.embedding(masked, table), sizes)
        return states.squeeze(1)


def places_of(marked: Tensor) -> tuple[Tensor, Tensor]:
    """Where rows are marked, in order: marked [B, L] bool -> positions [B, P], P the most in a
    row, and [B, P] bool, False where a row has fewer and its position means nothing."""
    counts = marked.sum(dim=1, keepdim=True)
    most = int(counts.max()) if len(marked) else 0
    places = (~marked).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
    return places, torch.arange(most, device=marked.device) < counts
