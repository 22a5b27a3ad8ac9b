"""The Transformer that FANS, BERT4Rec, SASRec and their kin share, bidirectional or causal.

B lists, L positions, P of them wanted, H heads, D dimensions.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from cove.embedding import EMBEDDING_SCALE
from cove.recommenders.dense import Dense, gelu_of_few
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
        self.query_key_value = Dense(size, 3 * size)
        self.output = Dense(size, size)
        self.expand = Dense(size, 4 * size, "gelu")
        self.contract = Dense(4 * size, size)
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

    def read(self, states: Tensor, places: Tensor | None, memory: Tensor) -> Tensor:
        """What `forward` gives without a mask; keys and values of all L positions are put into the
        first of `memory` [2, B, H, ·, D / H]."""
        length = states.shape[1]
        query, key, value, states = self._project(states, places)
        memory[0, :, :, :length], memory[1, :, :, :length] = key, value
        seen = None if places is None else _up_to(places, length)
        return self._add(states, self._attend(query, key, value, seen))

    def weights(self) -> tuple[Tensor, ...]:
        """Weight and bias of each part, in the order of their use."""
        attention = (self.attention_norm, self.query_key_value, self.output)
        network = (self.network_norm, self.expand, self.contract)
        return tuple(each for part in (*attention, *network) for each in (part.weight, part.bias))

    def _add(self, states: Tensor, mixed: Tensor) -> Tensor:
        """What attention gave, [B, H, P, D / H], and then the network, on top of `states`."""
        mixed = self.output(mixed.transpose(1, 2).flatten(2))
        states = states + dropout(mixed, self.dropout, self.training)
        hidden = self.contract(self.expand(self.network_norm(states)))
        return states + dropout(hidden, self.dropout, self.training)

    def _project(self, states: Tensor, places: Tensor | None) -> tuple[Tensor, ...]:
        """Queries, keys and values, [B, H, ·, D / H], and the states that queries came from."""
        normed, linear = self.attention_norm(states), self.query_key_value
        if places is None:
            parts = linear(normed).chunk(3, dim=-1)
        elif linear.packed is not None:
            query, *both = linear(normed).chunk(3, dim=-1)
            parts, states = (at_places(query, places), *both), at_places(states, places)
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
            mask = _up_to(places, tokens.shape[1])
        normed: Tensor = self.norm(self.layers[-1](states, mask, places))
        return normed


class CausalReader:
    """Reads lists once, and then one position more of each, again and again; what it read it keeps.

    For a causal encoder that answers, without gradients or dropout. Lists have `sizes` [B, 1]
    positions, padded on the right to the longest of them, L; `room` positions may follow. For all
    lists these lie behind the longest, so that one step fills one column.
    """

    def __init__(self, encoder: TransformerEncoder, sizes: Tensor, longest: int, room: int) -> None:
        self._encoder, self._column = encoder, longest
        self._places = sizes.squeeze(1)  # of what comes next
        size = encoder.norm.weight.numel()
        shape = (len(sizes), encoder.heads, longest + room, size // encoder.heads)
        self._kept = encoder.norm.weight.new_empty((len(encoder.layers), 2, *shape))
        columns = torch.arange(longest + room, device=sizes.device)
        nothing = (columns >= sizes) & (columns < longest)
        bias = torch.zeros_like(nothing, dtype=self._kept.dtype)
        self._bias = bias.masked_fill_(nothing, -torch.inf)[:, None, None]
        self._weights = [layer.weights() for layer in encoder.layers]  # type: ignore[operator]

    def read(self, embedded: Tensor) -> Tensor:
        """States [B, D] of each list's last position, embedded as [B, L, D]; of an empty list's
        padding, where it has none."""
        encoder, last = self._encoder, (self._places - 1).clamp(min=0)[:, None]
        states = embedded + encoder.positions.weight[: embedded.shape[1]]
        for place, layer in enumerate(encoder.layers):
            asked = last if place == len(encoder.layers) - 1 else None
            states = layer.read(states, asked, self._kept[place])  # type: ignore[operator]
        normed: Tensor = encoder.norm(states)
        return normed.squeeze(1)

    def append(self, embedded: Tensor) -> Tensor:
        """States [B, D] of one position more, embedded as [B, D].

        For few lists a call of a module takes longer than what it computes: hence plain functions.
        """
        encoder, end = self._encoder, self._column + 1
        places = self._places.clamp(max=encoder.positions.num_embeddings - 1)
        states = embedded + encoder.positions(places)
        size, bias, eps = states.shape[1:], self._bias[..., :end], encoder.norm.eps
        heads = (len(states), 3, encoder.heads, -1)
        kept, own = self._kept[..., :end, :].unbind(), self._kept[..., self._column, :].unbind()
        for parts, both, new in zip(self._weights, kept, own, strict=True):
            attention, attention_bias, project, project_bias, mix, mix_bias, *network = parts
            norm, norm_bias, expand, expand_bias, contract, contract_bias = network
            normed = torch.layer_norm(states, size, attention, attention_bias, eps)
            asked = F.linear(normed, project, project_bias).view(heads).transpose(0, 1)
            new.copy_(asked[1:])
            key, value = both.unbind()
            mixed = F.scaled_dot_product_attention(asked[0].unsqueeze(2), key, value, bias)
            states = F.linear(mixed.flatten(1), mix, mix_bias).add_(states)
            normed = torch.layer_norm(states, size, norm, norm_bias, eps)
            hidden = gelu_of_few(F.linear(normed, expand, expand_bias))
            states = F.linear(hidden, contract, contract_bias).add_(states)
        self._column, self._places = end, self._places + 1
        return torch.layer_norm(states, size, encoder.norm.weight, encoder.norm.bias, eps)


def _up_to(places: Tensor, length: int) -> Tensor:
    """Which of `length` positions those at `places` [B, P] see, causally: [B, 1, P, length]."""
    return (torch.arange(length, device=places.device) <= places[:, :, None])[:, None]


def at_places(states: Tensor, places: Tensor) -> Tensor:
    """States [B, L, D] at positions [B, P]: [B, P, D]."""
    return states.gather(1, places[:, :, None].expand(-1, -1, states.shape[2]))
