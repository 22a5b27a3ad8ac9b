"""Ids to category-aware embeddings (Eq. 3, 4), in the place of `nn.Embedding`."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cove.batches import WHOLE, Part, distinct_entities
from cove.folding import FoldedCodes
from cove.quantization import CascadedQuantizer, FixedCodes, QuantizerSettings
from cove.row_table import RowTable
from cove.vocabulary import NUM_SPECIAL

EMBEDDING_SCALE = 0.02
"""Standard deviation of a new embedding table, as in BERT."""


class _Lookup(NamedTuple):
    """What one lookup quantized: its entities (None: the whole catalogue), z and the codes."""

    entities: Tensor | None  # [n] int64, ascending
    own: Tensor  # [n, D]
    codes: Tensor  # [n, H]

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of `own` and `codes` that hold these entities."""
        if self.entities is None:
            return ids - NUM_SPECIAL
        return torch.searchsorted(self.entities, ids)


class _FixedLookup(NamedTuple):
    """What one lookup in a table with fixed codes read."""

    ids: Tensor  # [...] int64
    own: Tensor  # [..., D], z
    average: Tensor  # [..., D], z̄

    def weights(self, ids: Tensor, size: int) -> Tensor:
        """Weights of the rows, [...], that make a sum over them the mean over the distinct entities
        among `ids` [...], in a table of `size` rows."""
        asked = self.own.new_zeros(size)
        asked[ids.flatten()] = 1
        asked[:NUM_SPECIAL] = 0
        asked /= asked.sum().clamp(min=1)
        read = self.ids.flatten()
        times = torch.zeros_like(asked).scatter_add_(
            0, read, torch.ones_like(read, dtype=asked.dtype)
        )
        return F.embedding(self.ids, (asked / times.clamp(min=1))[:, None]).squeeze(-1)


class EntityEmbedding(RowTable):
    """A table of entity embeddings, with or without a quantizer inside.

        z_c = z + α z̄    (Eq. 4; z̄ the average of the entity's codes, Eq. 3)

    A recommender looks ids up and never knows whether there is a quantizer. Special ids
    (index below NUM_SPECIAL) have plain embeddings: no code, no loss. Within one call each
    distinct entity is quantized once. A training step makes one call, `forward` or `all`, and
    then may ask `quantization_loss` for the loss of what it looked up.

    num_entities: without the special ids.
    """

    def __init__(
        self, num_entities: int, dimensions: int, quantizer: QuantizerSettings | None = None
    ) -> None:
        super().__init__(torch.empty(NUM_SPECIAL + num_entities, dimensions))
        self.num_entities = num_entities
        nn.init.normal_(self.weight, std=EMBEDDING_SCALE)
        nn.init.zeros_(self.weight.data[:NUM_SPECIAL])  # a mask says nothing yet
        self.quantizer: CascadedQuantizer | None = None
        if quantizer is not None and quantizer.assignment != "nearest":
            self.quantizer = FixedCodes(quantizer, dimensions, num_entities)
        elif quantizer is not None:
            self.quantizer = CascadedQuantizer(quantizer, dimensions)
        self._looked_up: _Lookup | _FixedLookup | None = None
        self.folded: FoldedCodes | None = None
        """Fixed codes while they are folded into the table, in training."""

    @property
    def dimensions(self) -> int:
        """D, the width of the table."""
        return self.weight.shape[1]

    def _quantizes(self) -> CascadedQuantizer | None:
        quantizer = self.quantizer
        return quantizer if quantizer is not None and quantizer.is_active() else None

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings of ids: [...] int64 -> [..., D]."""
        quantizer = self._quantizes()
        if quantizer is None or self.folded is not None:
            return self.look_up(ids)
        if isinstance(quantizer, FixedCodes):
            own, average = self.look_up(ids), quantizer.averages((ids - NUM_SPECIAL).clamp(min=0))
            self._looked_up = _FixedLookup(ids, own, average)
            share = (ids >= NUM_SPECIAL) * quantizer.settings.alpha
            return torch.addcmul(own, average, share[..., None])
        distinct, place = torch.unique(ids, return_inverse=True)
        special = distinct[distinct < NUM_SPECIAL]
        own = self.look_up(distinct[len(special) :])  # unique sorts: specials first
        codes, average = quantizer(own)
        self._looked_up = _Lookup(distinct[len(special) :], own, codes)
        aware = own + quantizer.settings.alpha * average
        return F.embedding(place, torch.cat([self.look_up(special), aware]))

    @property
    def may_fold(self) -> bool:
        """Whether its codes are fixed and do not move in every step; those of a row-sparse table
        do, for a pass over it would cost more than they."""
        quantizer = self.quantizer
        seldom = isinstance(quantizer, FixedCodes) and quantizer.settings.update_interval > 1
        return seldom and not self.sparse_gradients

    def fold(self) -> None:
        """Fold the codes into the table, where they may be: until `unfold`, `weight` holds z_c."""
        quantizer = self._quantizes()
        if isinstance(quantizer, FixedCodes) and self.may_fold and self.folded is None:
            self.folded = FoldedCodes(self, quantizer)

    def unfold(self) -> None:
        """Let `weight` hold z again."""
        if self.folded is not None:
            self.folded.undo()
            self.folded = None

    def all(self) -> Tensor:
        """Embeddings of the special ids and the whole catalogue, [NUM_SPECIAL + N, D]."""
        quantizer = self._quantizes()
        if quantizer is None or self.folded is not None:
            return self.whole()
        own = self.whole()[NUM_SPECIAL:]
        if isinstance(quantizer, FixedCodes):
            average = quantizer.averages(torch.arange(self.num_entities, device=own.device))
            self._looked_up = None
        else:
            codes, average = quantizer(own)
            self._looked_up = _Lookup(None, own, codes)
        aware = own + quantizer.settings.alpha * average
        return torch.cat([self.whole()[:NUM_SPECIAL], aware])

    def quantization_loss(self, ids: Tensor, part: Part = WHOLE) -> Tensor:
        """L_quant (Eq. 6) of the distinct entities among `ids`, a mean over them.

        `ids`: the batch's, [...] int64; special ids are left out. Needs a lookup before it. With a
        part, the summand of that part's entities: all parts together give the mean.
        """
        quantizer = self._quantizes()
        if quantizer is None:
            return self.weight.new_zeros(())
        if isinstance(quantizer, FixedCodes):
            return self._shrinkage(quantizer, ids, part)
        distinct = distinct_entities(ids)
        entities = part.rows(distinct)
        if part.of == 1:
            looked_up = self._last_lookup()
            rows = looked_up.rows(entities)
            return quantizer.loss(F.embedding(rows, looked_up.own), looked_up.codes[rows])
        own = self.look_up(entities)  # others than this process has looked up
        if not len(entities):
            return own.sum()  # 0, by a lookup that other processes may take part in
        loss = quantizer.loss(own, quantizer.codes(own.detach()))
        return loss * (len(entities) / len(distinct))

    def _shrinkage(self, quantizer: FixedCodes, ids: Tensor, part: Part) -> Tensor:
        """The loss of fixed codes, of what the last lookup read: another would cost as much again
        as the recommender's own."""
        if not quantizer.settings.shrinkage:
            return self.weight.new_zeros(())
        if self.folded is not None:
            return self.folded.shrinkage(ids, part)
        looked_up = self._looked_up
        if part.of == 1 and isinstance(looked_up, _FixedLookup):
            weights = looked_up.weights(ids, len(self.weight))
            return quantizer.shrinkage(looked_up.own, looked_up.average, weights)
        distinct = distinct_entities(ids)
        entities = part.rows(distinct)
        weights = self.weight.new_full((len(entities),), 1 / max(1, len(distinct)))
        average = quantizer.averages(entities - NUM_SPECIAL)
        return quantizer.shrinkage(self.look_up(entities), average, weights)

    def codes_in_step(self, ids: Tensor) -> Tensor:
        """Codes [M, H] that the last lookup gave the entities `ids`, [M] int64."""
        looked_up = self._last_lookup()
        return looked_up.codes[looked_up.rows(ids)]

    def _last_lookup(self) -> _Lookup:
        if not isinstance(self._looked_up, _Lookup):
            raise RuntimeError("nothing was looked up yet: call forward or all first")
        return self._looked_up

    @torch.no_grad()
    def codes(self) -> Tensor:
        """Codes of the whole catalogue, [N, H] int64; H is 0 where nothing quantizes."""
        quantizer = self._quantizes()
        if quantizer is None:
            return self.weight.new_zeros((self.num_entities, 0), dtype=torch.int64)
        return quantizer.codes(self.whole()[NUM_SPECIAL:])

    def start_codes(self, seed: int) -> None:
        """Initialize the quantizer, if there is one, from the embeddings as they are now."""
        if self.quantizer is not None:
            self.quantizer.initialize(self.whole()[NUM_SPECIAL:], seed)

    def revive(self) -> int:
        """Revive the codes that the catalogue does not use; the number of codes moved."""
        quantizer = self._quantizes()
        return 0 if quantizer is None else quantizer.revive(self.whole()[NUM_SPECIAL:])
