"""The Transformer that FANS, BERT4Rec, SASRec and their kin share, bidirectional or causal.

B lists, L positions, P of them wanted, H heads, D dimensions.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from cove.embedding import EMBEDDING_SCALE
from cove.recommenders.dropout import dropout
from cove.vocabulary import PAD


class TransformerSettings(BaseModel):
    """Size of the encoder; the defaults are Section 4.1's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of embeddings and states."""
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """After the embeddings and each sublayer."""
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of the attention weights. Costly on a CPU: it stores weights that are else never stored."""
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
        self.heads, self.causal = settings.heads, causal
        self.dropout, self.attention_dropout = settings.dropout, settings.attention_dropout
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

    def forward(self, states: Tensor, mask: Tensor | None, places: Tensor | None) -> Tensor:
        """The next states [B, L, D], or of the positions `places` [B, P] alone, [B, P, D]."""
        query, key, value, states = self._project(states, places)
        return self._add(states, self._attend(query, key, value, mask))

    def read(self, states: Tensor, places: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """The next states [B, P, D] of positions `places` [B, P] alone, whose keys and values are
        put into `memory` [2, B, H, L, D / H], where those of earlier positions are."""
        query, key, value, states = self._project(states, None)
        at = places[:, None, :, None].expand_as(key)
        for kept, new in zip(memory, (key, value), strict=True):
            kept.scatter_(2, at, new)
        return self._add(states, self._attend(query, memory[0], memory[1], mask))

    def _add(self, states: Tensor, mixed: Tensor) -> Tensor:
        """What attention gave, [B, H, P, D / H], and then the network, on top of `states`."""
        mixed = self.output(mixed.transpose(1, 2).flatten(2))
        states = states + dropout(mixed, self.dropout, self.training)
        hidden = self.contract(F.gelu(self.expand(self.network_norm(states))))
        return states + dropout(hidden, self.dropout, self.training)

    def _project(self, states: Tensor, places: Tensor | None) -> tuple[Tensor, ...]:
        """Queries, keys and values, [B, H, ·, D / H], and the states that queries came from."""
        normed, linear = self.attention_norm(states), self.query_key_value
        if places is None:
            parts = linear(normed).chunk(3, dim=-1)
        else:
            size = states.shape[-1]
            states, asking = at_places(states, places), at_places(normed, places)
            query = F.linear(asking, linear.weight[:size], linear.bias[:size])
            both = F.linear(normed, linear.weight[size:], linear.bias[size:])
            parts = (query, *both.chunk(2, dim=-1))
        return (*(part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts), states)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Values mixed by attention; `mask` is True where a query may look."""
        if not self.training or self.attention_dropout == 0:
            causal = self.causal and mask is None
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=causal
            )
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if self.causal and mask is None:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return dropout(scores.softmax(dim=-1), self.attention_dropout, True) @ value


class TransformerEncoder(nn.Module):
    """Pre-norm encoder over padded lists; padding changes no real position.

    causal: a position sees itself and what is before it, nothing behind; lists must then be padded
    on the right, so that no real position has padding before it. Else padding may be anywhere.
    """

    def __init__(
        self, settings: TransformerSettings, num_positions: int, causal: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.causal = settings.heads, settings.dropout, causal
        self.positions = nn.Embedding(num_positions, settings.dimensions)
        self.layers = nn.ModuleList(_Layer(settings, causal) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.dimensions)
        nn.init.zeros_(self.positions.weight)  # see _Layer._start_as_average

    def forward(self, tokens: Tensor, embedded: Tensor, places: Tensor | None = None) -> Tensor:
        """States [B, L, D] of tokens [B, L] whose embeddings are `embedded` [B, L, D].

        With `places` [B, P], positions from 0, the states [B, P, D] of these alone: the last layer
        is then computed for them only.
        """
        real = tokens != PAD
        place = (real.cumsum(dim=1) - 1).clamp(0, self.positions.num_embeddings - 1)
        states = dropout(embedded + self.positions(place), self.dropout, self.training)
        unmasked = self.causal or bool(real.all())
        mask = None if unmasked else real[:, None, None, :]  # [B, 1, 1, L]
        for layer in self.layers[:-1]:
            states = layer(states, mask, None)
        if self.causal and places is not None:
            seen = torch.arange(tokens.shape[1], device=tokens.device)
            mask = (seen <= places[:, :, None])[:, None]  # [B, 1, P, L]
        normed: Tensor = self.norm(self.layers[-1](states, mask, places))
        return normed

    def memory(self, lists: int, length: int) -> Tensor:
        """Room for what `read` keeps of lists of at most `length` positions."""
        size = self.norm.weight.numel() // self.heads
        shape = (len(self.layers), 2, lists, self.heads, length, size)
        return self.norm.weight.new_zeros(shape)

    def read(self, embedded: Tensor, places: Tensor, memory: Tensor) -> Tensor:
        """States [B, P, D] of positions `places` [B, P], from 0, embedded as [B, P, D], by causal
        attention; `memory` [..., L, D / H] has what earlier calls read of positions before them.

        Of all positions at once the states are those of `forward`. Without dropout.
        """
        states = embedded + self.positions(places.clamp(max=self.positions.num_embeddings - 1))
        seen = torch.arange(memory.shape[-2], device=places.device)
        mask = (seen <= places[:, :, None])[:, None]  # [B, 1, P, L]
        for layer, kept in zip(self.layers, memory, strict=True):
            assert isinstance(layer, _Layer)
            states = layer.read(states, places, kept, mask)
        normed: Tensor = self.norm(states)
        return normed


def at_places(states: Tensor, places: Tensor) -> Tensor:
    """States [B, L, D] at positions [B, P]: [B, P, D]."""
    return states.gather(1, places[:, :, None].expand(-1, -1, states.shape[2]))
