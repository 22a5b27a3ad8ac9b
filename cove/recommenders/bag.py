"""Bag of items: a list is the mean of its items, whatever their order.

The simplest completer that has an embedding table to learn, and a strong one: the state is the
normalised mean of the given items' embeddings, the scores are its products with all items', and
the loss is the full cross-entropy (a factored item similarity model, as in FISM, Kabbur et al.,
KDD 2013, with one table for both sides and the softmax in place of the pairwise loss). As order
plays no role, every epoch cuts each list into other halves.

With `linear` the scores of a linear item-to-item model stand beside these:

    s_j = <state, z_j> + b_j + γ Σ over the given items i of W_ij

W is full-rank and remembers pairs, where D dimensions cannot. It comes in closed form after
training (`training.linear_part`), and γ is what validation prefers.

B lists, L positions, D dimensions, N items, M wanted items, V = NUM_SPECIAL + N.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import ListCompleter, Prediction, last_items
from cove.recommenders.catalogue import CatalogueHead
from cove.retrieval import Barred, top_items
from cove.vocabulary import NUM_SPECIAL, PAD


class BagSettings(BaseModel):
    """Size of the bag of items and its noise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of embeddings and states. More of them pay here: `aotm` prefers 256."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the given items left out of the mean in training, and of the state's values."""
    random_halves: bool = True
    """Cut each list at random into given and wanted items, anew in every epoch."""
    max_length: int = Field(default=200, ge=2)
    """A longer list keeps its last items."""
    linear: bool = False
    """Add EASE's item-to-item weights when training is done; N² numbers in the artifact."""
    linear_regularization: float = Field(default=50.0, gt=0)
    """λ of EASE. `aotm`, validation N@10 at 20, 50, 100: .0914, .0926, .0904."""


class Bag(ListCompleter):
    """Scores every item against the mean of the list."""

    linear_weights: Tensor  # [V, N] W, or empty
    linear_scale: Tensor  # [] γ

    def __init__(
        self, settings: BagSettings, num_items: int, quantizer: QuantizerSettings | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        self.norm = nn.LayerNorm(settings.dimensions)
        self.head = CatalogueHead(num_items)
        if settings.linear:
            self.register_buffer("linear_weights", torch.empty(0))
            self.register_buffer("linear_scale", torch.tensor(0.0))

    def set_linear_part(self, weights: Tensor, scale: float) -> None:
        """Take W, [V, N], and γ; a model with `linear` off has no place for them."""
        self.linear_weights = weights
        self.linear_scale.fill_(scale)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Take a linear part, or none."""
        given = state_dict.get(f"{prefix}linear_weights")
        size = (NUM_SPECIAL + self.items.num_entities, self.items.num_entities)
        if self.settings.linear and given is not None and given.shape in {size, (0,)}:
            self.linear_weights = torch.empty_like(given, device=self.linear_scale.device)
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)

    def predict(self, batch: ListBatch) -> Prediction:
        inputs, targets = halve_at_random(batch) if self.settings.random_halves else batch
        table = self.items.all()
        states = self._states(inputs, table)
        wanted = targets != PAD
        loss = self.head.loss(states, table, targets)
        owner = wanted.nonzero()[:, 0]  # [M], the list of each wanted item
        return Prediction(loss, states[owner], targets[wanted])

    def _states(self, inputs: Tensor, table: Tensor) -> Tensor:
        """States [B, D] of lists [B, L]; an empty list's is the norm's bias."""
        kept = inputs != PAD
        if self.training and self.settings.dropout:
            kept &= torch.rand(inputs.shape, device=inputs.device) >= self.settings.dropout
        total = (F.embedding(inputs, table) * kept[:, :, None]).sum(dim=1)
        mean = total / kept.sum(dim=1, keepdim=True).clamp(min=1)
        return F.dropout(self.norm(mean), self.settings.dropout, self.training)

    def query_states(self, inputs: Tensor) -> Tensor | None:
        if self._has_linear_part():
            return None
        return self._states(last_items(inputs, self.settings.max_length), self.items.all())

    def _scores_per_list(self, length: int, k: int) -> int:
        return self.items.num_entities + NUM_SPECIAL

    def _complete(self, inputs: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        table = self.items.all()
        given = last_items(inputs, self.settings.max_length)
        states = self._states(given, table)
        if not self._has_linear_part():
            return self.head.top(states, table, k, barred)
        scores = self.head(states, table).addcmul(self._linear_scores(given), self.linear_scale)
        return top_items(barred.bar(scores), k)

    def _has_linear_part(self) -> bool:
        return self.settings.linear and len(self.linear_weights) > 0

    def _linear_scores(self, inputs: Tensor) -> Tensor:
        """Σ W_ij over the distinct items i of lists [B, L]: [B, N]."""
        ordered = inputs.sort(dim=1).values
        repeated = F.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
        distinct = ordered.masked_fill(repeated, PAD)
        return F.embedding_bag(distinct, self.linear_weights, mode="sum", padding_idx=PAD)


def halve_at_random(batch: ListBatch) -> ListBatch:
    """The same lists in random order, cut again after floor(n/2) items: [B, L'] and [B, T']."""
    whole = torch.cat(batch, dim=1)  # [B, L + T]
    real = whole != PAD
    keys = torch.rand(whole.shape, device=whole.device).masked_fill(~real, 2.0)  # padding last
    whole = whole.gather(1, keys.argsort(dim=1))
    sizes = real.sum(dim=1, keepdim=True)
    half, place = sizes // 2, torch.arange(whole.shape[1], device=whole.device)
    given = whole.masked_fill(place >= half, PAD)[:, : (whole.shape[1] + 1) // 2]
    shifted = whole.gather(1, (place + half).clamp(max=whole.shape[1] - 1))
    wanted = shifted.masked_fill(place >= sizes - half, PAD)
    return ListBatch(given, wanted[:, : (whole.shape[1] + 1) // 2])
