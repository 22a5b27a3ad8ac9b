"""SASRec (Kang and McAuley, ICDM 2018): causal self-attention, every position guesses what follows.

Trained on whole lists, both halves joined: the state behind items 1 … t is asked for item t + 1.

    binary:  L = −(1/M) Σ [log σ(r_t,i) + log(1 − σ(r_t,j))]    (the paper's Eq. 7; a mean here)
    softmax: L = −(1/M) Σ log softmax(r_t)_i                    (over the whole catalogue)

with i the item behind position t, j a negative drawn for that position, r the tied scores. The
encoder is the one that BERT4Rec and FANS have here, made causal, so that rows of a table differ
by what they learn, not by their layers. It differs from the paper's: a gelu network of width 4 D in
place of a ReLU one of width D, a norm before keys and values too, embeddings not scaled by √D, and
a bias for each item.

B lists, L positions, D dimensions, N items, M predicted positions.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.next_item import NextItemCompleter, next_items
from cove.recommenders.transformer import CausalReader, TransformerEncoder, TransformerSettings
from cove.vocabulary import NUM_SPECIAL, PAD


class SasRecSettings(TransformerSettings):
    """SASRec's own settings beside the encoder's."""

    loss: Literal["binary", "softmax"] = "binary"
    """The paper's, against one sampled negative a position, or full cross-entropy."""
    max_generated: int = Field(default=20, ge=1)
    """Items generated one by one; any further ones are ranked by the last step's scores."""


class SasRec(NextItemCompleter):
    """A causal encoder whose last state scores the next item."""

    def __init__(
        self,
        settings: SasRecSettings,
        num_items: int,
        quantizer: QuantizerSettings | None = None,
    ) -> None:
        items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        super().__init__(items, settings.max_length, settings.max_generated)
        self.settings = settings
        self.encoder = TransformerEncoder(settings, settings.max_length, causal=True)
        self.head = CatalogueHead(num_items)
        self.looks_up_by_id = settings.loss == "binary"

    @torch.no_grad()
    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)
        if self.settings.loss == "binary":  # there a score is log(share / (1/N)): negatives are
            self.head.bias.add_(math.log(self.items.num_entities))  # drawn uniformly

    def predict(self, batch: ListBatch) -> Prediction:
        tokens, following = next_items(batch, self.max_length)
        known = following != PAD
        wanted = following[known]  # [M]
        if self.items.is_by_id:
            return self._by_id(tokens, following, known)
        table = self.items.all()
        output = self.encoder(tokens, F.embedding(tokens, table))[known]  # [M, D]
        if self.settings.loss == "softmax":
            return Prediction(self.head.loss(output, table, wanted), output, wanted)
        negatives = self._negatives(tokens, following)[known]
        asked = [(each, F.embedding(each, table)) for each in (wanted, negatives)]
        loss = self._binary(output, *asked)
        return Prediction(loss, output, wanted)

    def _by_id(self, tokens: Tensor, following: Tensor, known: Tensor) -> Prediction:
        """The binary loss by one lookup of what it needs, where the table should not be touched
        whole."""
        ids = (tokens, following[known], self._negatives(tokens, following)[known])
        looked_up = self.items(torch.cat([each.flatten() for each in ids]))
        read, *asked = looked_up.split([each.numel() for each in ids])
        output = self.encoder(tokens, read.view(*tokens.shape, -1))[known]
        loss = self._binary(output, *zip(ids[1:], asked, strict=True))
        return Prediction(loss, output, ids[1])

    def _negatives(self, tokens: Tensor, following: Tensor) -> Tensor:
        """An item for each position, [B, L], that its list does not hold."""
        lists = torch.cat([tokens[:, :1], following], dim=1)
        return draw_negatives(lists, following.shape[1], self.items.num_entities)

    def _binary(
        self, states: Tensor, wanted: tuple[Tensor, Tensor], against: tuple[Tensor, Tensor]
    ) -> Tensor:
        """The paper's Eq. 7 of states [M, D], given indices [M] and embeddings [M, D] of what is
        wanted and of negatives."""
        loss = -F.logsigmoid(self._scores_of(states, *wanted)).sum()
        loss = loss - F.logsigmoid(-self._scores_of(states, *against)).sum()
        return loss / max(1, len(states))

    def _scores_of(self, states: Tensor, items: Tensor, embedded: Tensor) -> Tensor:
        """The score [M] of one item [M], embedded [M, D], for each state [M, D]."""
        return (states * embedded).sum(dim=1) + self.head.bias[items - NUM_SPECIAL]

    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        tokens = F.pad(tokens, (0, max(0, 1 - tokens.shape[1])), value=PAD)
        last = (sizes - 1).clamp(min=0)
        states: Tensor = self.encoder(tokens, F.embedding(tokens, table), last).squeeze(1)
        return states * (sizes > 0)  # an empty list has biases alone

    def step_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Callable[[int], Tensor]:
        longest = max(1, int(sizes.max()))
        room = tokens.shape[1] - longest
        reader = CausalReader(self.encoder, sizes, longest, room)

        def behind(step: int) -> Tensor:
            if step == 0:
                states = reader.read(F.embedding(tokens[:, :longest], table))
                return states * (sizes > 0)  # an empty list has biases alone
            guesses = tokens.gather(1, sizes + (step - 1)).squeeze(1)
            return reader.append(F.embedding(guesses, table))

        return behind


def draw_negatives(lists: Tensor, number: int, num_items: int) -> Tensor:
    """Items drawn uniformly from those that a list does not hold: lists [B, L] -> [B, number].

    One draw, no rejection: with the list's distinct items in order, s_0 < s_1 < …, the r-th item
    outside the list is r plus the number of j with s_j − j ≤ r. A list that holds the whole
    catalogue gets its last item. Uses the device's global generator.
    """
    ordered = lists.sort(dim=1).values - NUM_SPECIAL
    beyond = num_items + ordered.shape[1]
    ordered[:, 1:].masked_fill_(ordered[:, 1:] == ordered[:, :-1], beyond)
    ordered = ordered.masked_fill(ordered < 0, beyond).sort(dim=1).values
    distinct = (ordered < beyond).sum(dim=1, keepdim=True)
    drawn = torch.randint(1 << 62, (len(lists), number), device=lists.device)
    rank = drawn % (num_items - distinct).clamp(min=1)
    shifted = ordered - torch.arange(ordered.shape[1], device=lists.device)
    passed = torch.searchsorted(shifted, rank, right=True)
    return (rank + passed).clamp(max=num_items - 1) + NUM_SPECIAL
