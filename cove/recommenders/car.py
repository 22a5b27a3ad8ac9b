"""CAR (He, Zhang, Liu and Caverlee, WSDM 2020): consistency-aware continuation of item lists.

Three views of a list up to position t are mixed by a gate that sees how consistent it is so far.
With x_1 … x_t a layer's input and n_t its layer-normed last item:

    current preference  p_t = attention(query W n_t, keys W' x, values x)
    general preference  g_t = attention(query q, keys W'' x, values x)      q learned, for all lists
    list embedding      l_t = attention(query v, keys W''' x, values x)     v learned, for the gate
    consistency         c_t = |x_t − (x_1 + … + x_t) / t|                   dimension by dimension
    gate                w_t = softmax(A [l_t; c_t] + b), three weights
    mixture             y_t = w_t1 p_t + w_t2 g_t + w_t3 n_t

and the layer's output is f + W_2 relu(W_1 f) with f the layer-normed y. All attention is causal
and has neither a value nor an output projection; unlike the encoder that the others share, its
weights are dropped out too, as the authors do. They train pairwise (BPR) against one sampled item
for each position; scores are inner products with the item embeddings.

Read from the authors' published code; the paper's own text was out of reach, so equation numbers
are not given. Left out: the creator's embedding (a list to complete has no known creator) and
the penalty of .1 on q and v (weight decay is the run's). Added: a bias for each item, and several
heads and layers (Section 4.1; the authors use one of each).

B lists, L positions, D dimensions, N items, M predicted positions.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.embedding import EMBEDDING_SCALE, EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.dropout import dropout
from cove.recommenders.next_item import NextItemCompleter, last_states, next_items
from cove.recommenders.sasrec import draw_negatives
from cove.recommenders.transformer import TransformerSettings
from cove.vocabulary import NUM_SPECIAL, PAD


class CarSettings(TransformerSettings):
    """CAR's own settings beside the encoder's."""

    loss: Literal["pairwise", "softmax"] = "pairwise"
    """`pairwise`: the authors' BPR against one sampled item a position; `softmax`: cross-entropy
    over the whole catalogue."""
    max_generated: int = Field(default=20, ge=1)
    """Items generated one by one; any further ones are ranked by the last step's scores."""


def running_distance(states: Tensor) -> Tensor:
    """How far each position lies from the mean of those up to it: |x_t − mean|, [B, L, D]."""
    count = torch.arange(1, states.shape[1] + 1, device=states.device)[:, None]
    return (states - states.cumsum(dim=1) / count).abs()


class ConsistencyLayer(nn.Module):
    """One layer of CAR, over lists padded on the right alone: [B, L, D] -> [B, L, D]."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        size = settings.dimensions
        self.heads, self.dropout = settings.heads, settings.dropout
        self.input_norm, self.mixture_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.keys = nn.Linear(size, size), nn.Linear(size, 3 * size)
        self.general_query = nn.Parameter(torch.randn(size) * EMBEDDING_SCALE)
        self.gate_query = nn.Parameter(torch.randn(size) * EMBEDDING_SCALE)
        self.gate = nn.Linear(2 * size, 3)
        self.expand, self.contract = nn.Linear(size, size), nn.Linear(size, size)

    def _by_head(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:2], self.heads, -1).transpose(1, 2)  # [B, heads, L, …]

    def attend(self, query: Tensor, key: Tensor, states: Tensor) -> Tensor:
        """Causal attention whose values are the states themselves; all [B, L, D]."""
        query, key, value = (self._by_head(part) for part in (query, key, states))
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        return mixed.transpose(1, 2).flatten(2)

    def gate_weights(self, list_embedding: Tensor, states: Tensor) -> Tensor:
        """Weights of current preference, general preference and last item, [B, L, 3]."""
        seen = torch.cat([list_embedding, running_distance(states)], dim=-1)
        weights: Tensor = self.gate(dropout(seen, self.dropout, self.training))
        return weights.softmax(dim=-1)

    def forward(self, states: Tensor) -> Tensor:
        normed = self.input_norm(states)
        current_key, general_key, gate_key = self.keys(states).chunk(3, dim=-1)
        current = self.attend(self.query(normed), current_key, states)
        general = self.attend(self.general_query.expand_as(states), general_key, states)
        summary = self.attend(self.gate_query.expand_as(states), gate_key, states)
        weights = self.gate_weights(summary, states)
        views = torch.stack([current, general, normed], dim=-1)  # [B, L, D, 3]
        mixture = self.mixture_norm((views @ weights[..., None]).squeeze(-1))
        hidden = dropout(F.relu(self.expand(mixture)), self.dropout, self.training)
        output: Tensor = mixture + dropout(self.contract(hidden), self.dropout, self.training)
        return output


class Car(NextItemCompleter):
    """Consistency-aware layers whose last state scores the next item."""

    def __init__(
        self, settings: CarSettings, num_items: int, quantizer: QuantizerSettings | None = None
    ) -> None:
        items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        super().__init__(items, settings.max_length, settings.max_generated)
        self.settings = settings
        self.positions = nn.Embedding(settings.max_length, settings.dimensions)
        nn.init.zeros_(self.positions.weight)
        self.layers = nn.ModuleList(ConsistencyLayer(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.dimensions)
        self.head = CatalogueHead(num_items)

    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)  # against uniform negatives the same differences

    def encode(self, tokens: Tensor, table: Tensor) -> Tensor:
        """States [B, L, D] of tokens [B, L] padded on the right."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        place = place.clamp(max=self.settings.max_length - 1)
        scale = math.sqrt(self.settings.dimensions)
        states = F.embedding(tokens, table) * scale + self.positions(place)
        states = dropout(states, self.settings.dropout, self.training)
        for layer in self.layers:
            states = layer(states)
        normed: Tensor = self.norm(states)
        return normed

    def predict(self, batch: ListBatch) -> Prediction:
        tokens, following = next_items(batch, self.max_length)
        table = self.items.all()
        known = following != PAD
        output, wanted = self.encode(tokens, table)[known], following[known]  # [M, D], [M]
        if self.settings.loss == "softmax":
            loss = self.head.loss(output, table, wanted)
        else:
            lists = torch.cat([tokens[:, :1], following], dim=1)
            sampled = draw_negatives(lists, following.shape[1], self.items.num_entities)[known]
            apart = F.embedding(wanted, table) - F.embedding(sampled, table)
            bias = self.head.bias[wanted - NUM_SPECIAL] - self.head.bias[sampled - NUM_SPECIAL]
            loss = -F.logsigmoid((output * apart).sum(dim=1) + bias).sum() / max(1, len(wanted))
        return Prediction(loss, output, wanted)

    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        tokens = F.pad(tokens, (0, max(0, 1 - tokens.shape[1])), value=PAD)
        return last_states(self.encode(tokens, table), sizes)
