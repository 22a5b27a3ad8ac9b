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
from cove.recommenders.base import ListCompleter, Prediction, last_items, top_items
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.transformer import TransformerEncoder, TransformerSettings
from cove.vocabulary import CLS, MASK, NUM_SPECIAL, PAD, SEP


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
        return self._num_slots(length) * (self.items.num_entities + NUM_SPECIAL)

    def _num_slots(self, length: int) -> int:
        return min(max(length, self.settings.min_slots), self.settings.max_length // 2)

    def _complete(self, inputs: Tensor, k: int, forbidden: Tensor) -> tuple[Tensor, Tensor]:
        inputs = last_items(inputs, self.settings.max_length // 2)
        sizes = (inputs != PAD).sum(dim=1, keepdim=True)
        num_slots = sizes.clamp(self.settings.min_slots, self.settings.max_length // 2)
        slot = torch.arange(int(num_slots.max()), device=inputs.device)
        slots = torch.where(slot < num_slots, MASK, PAD)  # [B, S]
        table = self.items.all()
        states = self._encode(ListBatch(inputs, slots), table)[:, inputs.shape[1] :]
        scores = self.scores(states.flatten(0, 1), table)
        scores = scores.view(*slots.shape, -1)  # [B, S, N]
        barred = forbidden[:, None, NUM_SPECIAL:] | (slots == PAD)[:, :, None]
        return read_depth_first(scores.masked_fill(barred, -torch.inf), k)


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


def read_depth_first(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best item of slot 1, of slot 2, …, then each slot's second best, repeats skipped.

    scores: [B, S, N], −inf where barred. Returns indices [B, k] and scores [B, k]; where
    candidates run out, any index with −inf.
    """
    indices, values = top_items(scores, k)  # [B, S, k]
    flat_indices = indices.transpose(1, 2).flatten(1)  # [B, k·S], depth first
    flat_values = values.transpose(1, 2).flatten(1)
    never = flat_indices.shape[1]
    place = torch.arange(never, device=scores.device).expand_as(flat_indices)
    place = place.masked_fill(flat_values == -torch.inf, never)
    first = torch.full(
        (len(scores), NUM_SPECIAL + scores.shape[2]), never, device=scores.device
    ).scatter_reduce_(1, flat_indices, place, "amin")
    first = F.pad(first, (0, max(0, k - first.shape[1])), value=never)
    order = first.topk(k, dim=1, largest=False, sorted=True).values  # [B, k]
    found = order.clamp(max=never - 1)
    chosen = flat_values.gather(1, found).masked_fill(order == never, -torch.inf)
    return flat_indices.gather(1, found), chosen
