"""FANS: fast non-autoregressive list completion (Liu et al., WWW 2023), without categories.

One pass over [CLS] input [SEP] MASK×S [SEP] predicts all S slots at once. Training follows a
curriculum: the share of masked items grows in equal steps over the epochs, input items masked
at random, target items from the end. The categories that FANS extracts beforehand are what
COVE learns instead; the two-stage classifier on them is in `fans_two_stage`.

B lists, L input positions, S slots, D dimensions, N items, M masked positions.
"""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import ListCompleter, Prediction, last_items, scores_at_once
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.transformer import TransformerEncoder, TransformerSettings
from cove.retrieval import Barred, top_items
from cove.vocabulary import CLS, MASK, PAD, SEP

_FEWEST_SLOTS = 32
"""Slots that are scored together in any case: a product with fewer rows wastes the table."""


class FansSettings(TransformerSettings):
    """FANS' own settings beside the encoder's."""

    curriculum_steps: int = Field(default=5, ge=1)
    """Equal steps in which the share of masked items grows to 1 over the epochs."""
    input_masking: float = Field(default=0.15, ge=0, le=1)
    """Share of the input items masked at the last step; at step i of n, i/n of it."""
    min_slots: int = Field(default=5, ge=1)
    """Slots for a list shorter than any that training saw: half the shortest training list."""


class SlotCompleter(ListCompleter):
    """Predicts every slot in one pass; candidates are read off the slots depth first."""

    def __init__(
        self, settings: FansSettings, num_items: int, quantizer: QuantizerSettings | None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        self.encoder = TransformerEncoder(settings, settings.max_length + 3)
        self.mask_share = 1.0

    @abstractmethod
    def loss(self, states: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
        """The mean loss of items `wanted` [M], each behind a mask of state `states` [M, D]."""

    @abstractmethod
    def scores(self, states: Tensor, table: Tensor) -> Tensor:
        """Scores [M, N] of all items for states [M, D]; table: [NUM_SPECIAL + N, D]."""

    def top(self, states: Tensor, table: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        """The k best items for states [M, D] but for what is barred from each, [M, k] twice."""
        return top_items(barred.bar(self.scores(states, table)), k)

    def input_table(self, table: Tensor) -> Tensor:
        """What the encoder reads in the place of the embeddings of all indices, `table`."""
        return table

    def start_epoch(self, epoch: int, num_epochs: int) -> None:
        steps = self.settings.curriculum_steps
        self.mask_share = min(epoch * steps // num_epochs + 1, steps) / steps

    def may_stop(self, epoch: int, num_epochs: int) -> bool:
        return self.mask_share == 1.0

    def predict(self, batch: ListBatch) -> Prediction:
        inputs, targets = batch
        hide_inputs = torch.rand(inputs.shape, device=inputs.device)
        hidden_inputs = (hide_inputs < self.settings.input_masking * self.mask_share) & (
            inputs != PAD
        )
        sizes = (targets != PAD).sum(dim=1, keepdim=True)  # [B, 1]
        visible = (sizes * (1 - self.mask_share)).round()
        slots = torch.arange(targets.shape[1], device=targets.device)
        hidden_targets = (slots >= visible) & (targets != PAD)

        masked = ListBatch(
            inputs.masked_fill(hidden_inputs, MASK), targets.masked_fill(hidden_targets, MASK)
        )
        table = self.items.all()
        states = self._encode(masked, table)
        hidden = torch.cat([hidden_inputs, hidden_targets], dim=1)
        wanted = torch.cat([inputs, targets], dim=1)[hidden]  # [M]
        output = states[hidden]  # [M, D]
        return Prediction(self.loss(output, wanted, table), output, wanted)

    def _encode(self, batch: ListBatch, table: Tensor) -> Tensor:
        """States of input positions and slots, [B, L + S, D], the frame's own left out."""
        inputs, slots = batch
        frame = torch.tensor([CLS, SEP], device=inputs.device).expand(len(inputs), 2)
        tokens = torch.cat([frame[:, :1], inputs, frame[:, 1:], slots, frame[:, 1:]], dim=1)
        states = self.encoder(tokens, F.embedding(tokens, self.input_table(table)))
        length = inputs.shape[1]
        return torch.cat([states[:, 1 : length + 1], states[:, length + 2 : -1]], dim=1)

    def _scores_per_list(self, length: int, k: int) -> int:
        return self._num_slots(length) * max(k, self.items.dimensions)

    def _num_slots(self, length: int) -> int:
        return min(max(length, self.settings.min_slots), self.settings.max_length // 2)

    def _slots(self, inputs: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """States [B, S, D] of the slots of lists [B, L], and which of them are asked, [B, S]."""
        inputs = last_items(inputs, self.settings.max_length // 2)
        sizes = (inputs != PAD).sum(dim=1, keepdim=True)
        num_slots = sizes.clamp(self.settings.min_slots, self.settings.max_length // 2)
        slot = torch.arange(int(num_slots.max()), device=inputs.device)
        slots = torch.where(slot < num_slots, MASK, PAD)  # [B, S]
        states = self._encode(ListBatch(inputs, slots), table)[:, inputs.shape[1] :]
        return states, slots == MASK

    def _complete(self, inputs: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        table = self.items.all()
        states, asked = self._slots(inputs, table)
        indices = inputs.new_full((*asked.shape, k), PAD)  # [B, S, k]
        values = states.new_full((*asked.shape, k), -torch.inf)
        owners = asked.nonzero()[:, 0]  # [M], the list of each slot
        indices[asked], values[asked] = self._best(states[asked], table, k, barred, owners)
        return read_depth_first(indices, values, k)

    def _best(
        self, states: Tensor, table: Tensor, k: int, barred: Barred, owners: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The k best items of each slot, [M, k], of states [M, D] of the lists `owners` [M]."""
        size = max(_FEWEST_SLOTS, scores_at_once(states.device) // len(table))
        parts = [
            self.top(some, table, k, barred.of(lists))
            for some, lists in zip(
                torch.split(states, size), torch.split(owners, size), strict=True
            )
        ]
        indices, values = zip(*parts, strict=True)
        return torch.cat(indices), torch.cat(values)


class Fans(SlotCompleter):
    """FANS with one softmax over the whole catalogue."""

    def __init__(
        self, settings: FansSettings, num_items: int, quantizer: QuantizerSettings | None = None
    ) -> None:
        super().__init__(settings, num_items, quantizer)
        self.head = CatalogueHead(num_items)

    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)

    def loss(self, states: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
        loss: Tensor = self.head.loss(states, table, wanted)
        return loss

    def scores(self, states: Tensor, table: Tensor) -> Tensor:
        scores: Tensor = self.head(states, table)
        return scores

    def query_states(self, inputs: Tensor) -> Tensor:
        states, asked = self._slots(inputs, self.items.all())
        return states[asked]

    def top(self, states: Tensor, table: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        return self.head.top(states, table, k, barred)


def read_depth_first(indices: Tensor, values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best item of slot 1, of slot 2, …, then each slot's second best, repeats skipped.

    indices, values: [B, S, k], each slot's best items and their scores, −inf where there is none.
    Returns indices [B, k] and scores [B, k]; where candidates run out, any index with −inf.
    """
    flat = indices.transpose(1, 2).flatten(1)  # [B, k·S], depth first
    scores = values.transpose(1, 2).flatten(1)
    real = scores > -torch.inf
    ordered, places = flat.masked_fill(~real, -1).sort(dim=1, stable=True)
    repeated = F.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))  # the first in the reading counts
    kept = torch.zeros_like(real).scatter_(1, places, ~repeated) & real
    order = (~kept).to(torch.uint8).sort(dim=1, stable=True).indices[:, :k]
    chosen = scores.gather(1, order).masked_fill(~kept.gather(1, order), -torch.inf)
    return flat.gather(1, order), chosen
