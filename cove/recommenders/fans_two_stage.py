"""FANS with categories extracted beforehand and its two-stage classifier (Liu et al., WWW 2023).

Each item belongs to one of C clusters, found before training. A slot's state gives first the
cluster, then the item among that cluster's items alone:

    p(i) = p(c_i) · p(i | c_i)

The encoder reads the sum of an item's embedding and its cluster's; a masked item shows neither.
As in `fans` otherwise: the curriculum, the slots, the reading depth first.

Where this differs from the authors' published code: the items' output weights are tied to their
embeddings, so that COVE reaches them (theirs: a table of its own for each cluster, behind one more
layer). Each target counts −log p(i) (theirs: the item's part only where the cluster was guessed
right, weighted by 1/C). And slots are ranked by p(i) over the whole catalogue; theirs, the read-out
`best_cluster`, ranks the items of the likeliest cluster alone, so that other clusters' items come
only where those have run out.

D dimensions, N items, C clusters, M masked positions.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cove.embedding import EMBEDDING_SCALE
from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders.fans import FansSettings, SlotCompleter
from cove.vocabulary import NUM_SPECIAL


class FansTwoStageSettings(FansSettings):
    """Settings of the categories beside FANS' own."""

    clusters: int = Field(default=20, ge=1)
    """C, categories to be extracted from the lists before training."""
    categories_from: Literal["training", "all"] = "training"
    """`training`: the training lists (FANS_TSC). `all`: those to be tested on too (FANS*), a leak
    of what is to be found: that row exists only to be compared with published ones."""
    read_out: Literal["joint", "best_cluster"] = "joint"
    """Slots ranked by p(i) over the catalogue, or the likeliest cluster's items first."""


class FansTwoStage(SlotCompleter):
    """Predicts a slot's cluster, then the item inside it."""

    settings: FansTwoStageSettings
    categories: Tensor

    def __init__(
        self,
        settings: FansTwoStageSettings,
        num_items: int,
        quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings, num_items, quantizer)
        self.item_bias = nn.Parameter(torch.zeros(num_items))
        self.cluster_head = nn.Linear(settings.dimensions, settings.clusters)
        self.cluster_embedding = nn.Parameter(torch.zeros(settings.clusters, settings.dimensions))
        nn.init.normal_(self.cluster_head.weight, std=EMBEDDING_SCALE)
        nn.init.zeros_(self.cluster_head.bias)
        nn.init.normal_(self.cluster_embedding, std=EMBEDDING_SCALE)
        even = torch.arange(num_items) * settings.clusters // max(1, num_items)
        self.register_buffer("categories", even)  # blocks of like size, until there are better

    def set_categories(self, categories: Tensor) -> None:
        """Take each item's cluster, [N] int64 from 0, before training and its first popularity.

        Raises:
            SettingsError: not one cluster for each item, or one outside 0 … C − 1.
        """
        if categories.shape != self.categories.shape:
            raise SettingsError(
                f"categories must give one cluster for each of the {len(self.categories)} items: "
                f"got shape {tuple(categories.shape)}"
            )
        clusters = self.settings.clusters
        outside = categories[(categories < 0) | (categories >= clusters)]
        if len(outside):
            raise SettingsError(
                f"categories must lie from 0 to {clusters - 1}: got {int(outside[0])}"
            )
        self.categories.copy_(categories)

    def start_from_popularity(self, counts: Tensor) -> None:
        """Set the biases so that p(c) and p(i | c) start as the shares in training."""
        known = counts.clamp(min=1).to(self.item_bias)
        per_cluster = torch.zeros_like(self.cluster_head.bias)
        per_cluster.index_add_(0, self.categories.to(known.device), known)
        with torch.no_grad():
            self.item_bias.copy_(known.log())
            self.cluster_head.bias.copy_(per_cluster.clamp(min=1).log())

    def input_table(self, table: Tensor) -> Tensor:
        clusters = F.embedding(self.categories, self.cluster_embedding)  # [N, D]
        return torch.cat([table[:NUM_SPECIAL], table[NUM_SPECIAL:] + clusters])

    def loss(self, states: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
        place = wanted - NUM_SPECIAL
        cluster = self.categories[place]  # [M]
        loss = F.nll_loss(self._log_clusters(states), cluster, reduction="sum")
        for number, members in enumerate(self._members()):  # one cluster's items for its targets
            rows = (cluster == number).nonzero().squeeze(1)
            scores = self._scores_within(states[rows], members, table)
            local = torch.searchsorted(members, place[rows])
            loss = loss + F.cross_entropy(scores, local, reduction="sum")
        return loss / max(1, len(wanted))

    def log_probabilities(self, states: Tensor, table: Tensor) -> Tensor:
        """log p(i) = log p(c_i) + log p(i | c_i) of all items, [M, N], for states [M, D]."""
        clusters = self._log_clusters(states)
        joint = states.new_empty(len(states), len(self.categories))
        for number, members in enumerate(self._members()):
            within = self._scores_within(states, members, table).log_softmax(dim=1)
            joint[:, members] = within + clusters[:, number : number + 1]
        return joint

    def scores(self, states: Tensor, table: Tensor) -> Tensor:
        joint = self.log_probabilities(states, table)
        if self.settings.read_out == "joint":
            return joint
        best = self._log_clusters(states).argmax(dim=1, keepdim=True)  # [M, 1]
        spread = joint.amax(dim=1, keepdim=True) - joint.amin(dim=1, keepdim=True)
        return torch.where(self.categories == best, joint, joint - spread)

    def _members(self) -> list[Tensor]:
        """The items of each cluster, from 0 and ascending."""
        order = self.categories.argsort(stable=True)
        sizes = torch.bincount(self.categories, minlength=self.settings.clusters)
        starts = [0, *sizes.cumsum(0).tolist()]
        return [order[start:end] for start, end in pairwise(starts)]

    def _log_clusters(self, states: Tensor) -> Tensor:
        """log p(c), [M, C]; −∞ for a cluster without items."""
        scores: Tensor = self.cluster_head(states)
        sizes = torch.bincount(self.categories, minlength=self.settings.clusters)
        return scores.masked_fill(sizes == 0, -torch.inf).log_softmax(dim=1)

    def _scores_within(self, states: Tensor, members: Tensor, table: Tensor) -> Tensor:
        """Scores [M, members] of one cluster's items."""
        return torch.addmm(
            self.item_bias[members], states, F.embedding(members + NUM_SPECIAL, table).t()
        )
