"""The Transformer that FANS, BERT4Rec, SASRec and their kin share, bidirectional or causal.

B lists, L positions, D dimensions, N items, M predicted positions.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from cove.embedding import EMBEDDING_SCALE
from cove.vocabulary import NUM_SPECIAL, PAD


class TransformerSettings(BaseModel):
    """Size of the encoder; the defaults are Section 4.1's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of embeddings and states."""
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """After the embeddings and each sublayer. Attention weights are not dropped out: on a CPU
    that mask costs more than the attention itself."""
    max_length: int = Field(default=200, ge=2)
    """Longest list, both halves; a longer one keeps its last items."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "TransformerSettings":
        if self.dimensions % self.heads:
            raise ValueError(f"heads must divide dimensions ({self.dimensions}): got {self.heads}")
        return self


class _Layer(nn.Module):
    def __init__(self, settings: TransformerSettings, causal: bool) -> None:
        super().__init__()
        size = settings.dimensions
        self.heads, self.dropout, self.causal = settings.heads, settings.dropout, causal
        self.attention_norm, self.network_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.output = nn.Linear(size, size)
        self.expand, self.contract = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self._start_as_average()

    @torch.no_grad()
    def _start_as_average(self) -> None:
        """Begin as the plain average of the list's items: uniform attention, no network.

        Of all items, or where attention is causal of those so far: a running average.
        Positions and special ids begin at zero, so that they add nothing to that average. It
        predicts the rest of a list well; from random projections the encoder needs many epochs
        to find even that (`aotm`: no better than popularity after 4, the average is after 1).
        """
        size = self.output.in_features
        self.query_key_value.weight[: 2 * size].normal_(std=EMBEDDING_SCALE)
        self.query_key_value.weight[2 * size :].copy_(torch.eye(size))
        self.output.weight.copy_(torch.eye(size))
        self.contract.weight.zero_()
        for linear in (self.query_key_value, self.output, self.contract):
            linear.bias.zero_()

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        parts = self.query_key_value(self.attention_norm(states)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=self.causal
        )
        mixed = self.output(mixed.transpose(1, 2).flatten(2))  # [B, L, D]
        states = states + F.dropout(mixed, self.dropout, self.training)
        hidden = self.contract(F.gelu(self.expand(self.network_norm(states))))
        return states + F.dropout(hidden, self.dropout, self.training)


class TransformerEncoder(nn.Module):
    """Pre-norm encoder over padded lists; padding changes no real position.

    causal: a position sees itself and what is before it, nothing behind; lists must then be padded
    on the right, so that no real position has padding before it. Else padding may be anywhere.
    """

    def __init__(
        self, settings: TransformerSettings, num_positions: int, causal: bool = False
    ) -> None:
        super().__init__()
        self.dropout, self.causal = settings.dropout, causal
        self.positions = nn.Embedding(num_positions, settings.dimensions)
        self.layers = nn.ModuleList(_Layer(settings, causal) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.dimensions)
        nn.init.zeros_(self.positions.weight)  # see _Layer._start_as_average

    def forward(self, tokens: Tensor, embedded: Tensor) -> Tensor:
        """States [B, L, D] of tokens [B, L] whose embeddings are `embedded` [B, L, D]."""
        real = tokens != PAD
        place = (real.cumsum(dim=1) - 1).clamp(0, self.positions.num_embeddings - 1)
        states = embedded + self.positions(place)
        states = F.dropout(states, self.dropout, self.training)
        unmasked = self.causal or bool(real.all())
        mask = None if unmasked else real[:, None, None, :]  # [B, 1, 1, L]
        for layer in self.layers:
            states = layer(states, mask)
        normed: Tensor = self.norm(states)
        return normed


class CatalogueHead(nn.Module):
    """States to scores of all items, the weights tied to the item embeddings."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_items))

    @torch.no_grad()
    def start_from_popularity(self, counts: Tensor) -> None:
        """Set the biases to the items' log shares, so that training starts from popularity.

        counts: [N], occurrences in training; an item without one counts as one.
        """
        shares = counts.clamp(min=1).to(self.bias) / counts.sum().clamp(min=1)
        self.bias.copy_(shares.log())

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Scores [M, N] of states [M, D], given the table [NUM_SPECIAL + N, D]."""
        return torch.addmm(self.bias, states, table[NUM_SPECIAL:].t())
