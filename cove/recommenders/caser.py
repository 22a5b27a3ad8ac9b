"""Caser (Tang & Wang, WSDM 2018): convolutions over a list's last few items.

The last L items' embeddings are read as an image E of L × D. Horizontal filters (Eq. 4–6) span
h = 1 … L items at full width, each maximal over the places where it fits; vertical filters
(Eq. 7, 8) weigh the L items, dimension by dimension. A dense layer of both is the state z
(Eq. 9). Every window of a whole list is trained on, each to predict its next T items.

Two differences. There is no user embedding P_u: a list to complete was never seen in training,
so Eq. 10 has z alone. And its output table W' is tied to the item embeddings through one D × D
layer, as in other public versions, so that COVE reaches the items to be predicted too.

B lists, W windows, L items of a window, T next items, D dimensions, N items, M targets.
"""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction, whole_lists
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.next_item import NextItemCompleter
from cove.recommenders.sasrec import draw_negatives
from cove.vocabulary import NUM_SPECIAL, PAD


class CaserSettings(BaseModel):
    """Caser's settings; the defaults are those of its authors, with D of Section 4.1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of embeddings and states."""
    window: int = Field(default=5, ge=1)
    """L, the last items that are looked at."""
    next_items: int = Field(default=3, ge=1)
    """T, items behind each window that it is trained to predict."""
    horizontal_filters: int = Field(default=16, ge=1)
    """Filters of each height from 1 to L."""
    vertical_filters: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Of what the convolutions give."""
    loss: Literal["binary", "softmax"] = "binary"
    """`binary`: the authors' cross-entropy of each target against sampled items (Eq. 12);
    `softmax`: cross-entropy over the whole catalogue."""
    negatives: int = Field(default=3, ge=1)
    """Items sampled against each target by the binary loss."""
    max_generated: int = Field(default=20, ge=1)
    """Items generated one by one; any further ones are ranked by the last step's scores."""


class _Windows(NamedTuple):
    """Every window of a batch of lists, with the items behind it; the first is empty."""

    given: Tensor  # [W, L] int64, PAD on the left
    targets: Tensor  # [W, T] int64, PAD on the right, the first never
    row: Tensor  # [W] int64, the window's list


class Caser(NextItemCompleter):
    """Horizontal and vertical convolutions over a list's last items."""

    def __init__(
        self, settings: CaserSettings, num_items: int, quantizer: QuantizerSettings | None = None
    ) -> None:
        items = EntityEmbedding(num_items, settings.dimensions, quantizer)
        super().__init__(items, settings.window + settings.max_generated, settings.max_generated)
        self.settings = settings
        size, window = settings.dimensions, settings.window
        self.horizontal = nn.ModuleList(
            nn.Conv1d(size, settings.horizontal_filters, height) for height in range(1, window + 1)
        )
        self.vertical = nn.Linear(window, settings.vertical_filters)
        features = settings.vertical_filters * size + settings.horizontal_filters * window
        self.dense, self.output = nn.Linear(features, size), nn.Linear(size, size)
        self.head = CatalogueHead(num_items)
        self._start_as_average()

    @torch.no_grad()
    def _start_as_average(self) -> None:
        """Begin as the positive part of the window's average, which predicts a list well already.

        From the authors' random layers nothing is learned in the first epochs: the biases drown
        embeddings that are still small.
        """
        size, filters = self.settings.dimensions, self.settings.vertical_filters
        self.vertical.weight.fill_(1 / self.settings.window)
        self.dense.weight[:, : filters * size].copy_(torch.eye(size).repeat(1, filters) / filters)
        self.output.weight.copy_(torch.eye(size))
        for layer in (self.vertical, self.dense, self.output, *self.horizontal):
            layer.bias.zero_()

    @torch.no_grad()
    def start_from_popularity(self, counts: Tensor) -> None:
        self.head.start_from_popularity(counts)
        if self.settings.loss == "binary":  # a score is then log(share / expected negatives)
            self.head.bias.add_(math.log(self.items.num_entities / self.settings.negatives))

    def encode(self, embedded: Tensor) -> Tensor:
        """States [W, D] of windows [W, L, D], zero where there is no item."""
        columns = embedded.transpose(1, 2)  # [W, D, L]
        vertical = self.vertical(columns).transpose(1, 2).flatten(1)  # [W, D · vertical filters]
        horizontal = [F.relu(convolve(columns)).amax(dim=2) for convolve in self.horizontal]
        features = torch.cat([vertical, *horizontal], dim=1)
        features = F.dropout(features, self.settings.dropout, self.training)
        states: Tensor = self.output(F.relu(self.dense(features)))
        return states

    def _states(self, given: Tensor, table: Tensor) -> Tensor:
        embedded = F.embedding(given, table)
        return self.encode(embedded.masked_fill((given == PAD)[:, :, None], 0.0))

    def _windows(self, lists: Tensor) -> _Windows:
        """Windows of whole lists [B, length]."""
        window, following = self.settings.window, self.settings.next_items
        tokens = F.pad(lists, (window, following - 1), value=PAD)
        tokens = tokens.unfold(1, window + following, 1)  # [B, length, L + T]
        row, place = (lists != PAD).nonzero(as_tuple=True)
        tokens = tokens[row, place]
        return _Windows(tokens[:, :window], tokens[:, window:], row)

    def predict(self, batch: ListBatch) -> Prediction:
        lists, table = whole_lists(batch), self.items.all()
        windows = self._windows(lists)
        states = self._states(windows.given, table)
        window, slot = (windows.targets != PAD).nonzero(as_tuple=True)
        output, wanted = states[window], windows.targets[window, slot]  # [M, D], [M]
        if self.settings.loss == "softmax":
            loss = self.head.loss(states, table, windows.targets)
        else:
            against = self._negatives(lists, windows.row[window])
            loss = -F.logsigmoid(self._scores_of(wanted[:, None], output, table)).sum()
            loss = loss - F.logsigmoid(-self._scores_of(against, output, table)).sum()
            loss = loss / max(1, len(wanted))
        return Prediction(loss, output, wanted)

    def _negatives(self, lists: Tensor, row: Tensor) -> Tensor:
        """Items [M, negatives] that the list of each target does not hold; `row` ascends."""
        targets = torch.bincount(row, minlength=len(lists))
        most = int(targets.max()) if len(row) else 0
        drawn = draw_negatives(lists, most * self.settings.negatives, self.items.num_entities)
        own = torch.arange(most, device=row.device) < targets[:, None]  # [B, most]
        return drawn.reshape(len(lists), most, self.settings.negatives)[own]

    def _scores_of(self, items: Tensor, states: Tensor, table: Tensor) -> Tensor:
        """Scores [M, K] of items [M, K], K for each state [M, D]."""
        products = torch.einsum("md,mkd->mk", states, F.embedding(items, table))
        return products + self.head.bias[items - NUM_SPECIAL]

    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        window = self.settings.window
        place = sizes + torch.arange(window, device=tokens.device)  # in `tokens` once it is padded
        given = F.pad(tokens, (window, 0), value=PAD).gather(1, place)  # [B, L]
        return self._states(given, table)
