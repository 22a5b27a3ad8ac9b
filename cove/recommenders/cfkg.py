"""CFKG: users, items and what is known of them as one graph, in one space (Zhang et al., 2018).

    d(h, r, t) = ‖h + r − t‖²,   s_ui = −d(u, interacts, i)
    L = mean of [γ + d(h, r, t) − d(h, r, t')]₊

This is TransE (Bordes et al., 2013) with `interacts` as one of its relations; d may also go without
its square. The mean is over the batch's interactions, t' an item that the user did not choose, and
as many facts as the settings say, t' another tail of the same relation; heads are never corrupted.
Without facts the graph is the interactions alone.

B users, K negatives of each, M items, F facts of a step, D dimensions, N items in all, O other
entities, R relations beside `interacts`.
"""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import PairBatch
from cove.embedding import EMBEDDING_SCALE
from cove.errors import DataError
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.preferences import PreferenceModel, candidates
from cove.vocabulary import NUM_SPECIAL, PAD


class CfkgSettings(BaseModel):
    """Size and loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D."""
    loss: Literal["hinge", "softplus"] = "hinge"
    """[x]₊ of the paper, or log(1 + exp(x)), which no triple is ever right enough for."""
    distance: Literal["squared", "euclidean"] = "squared"
    """d, ‖h + r − t‖² or ‖h + r − t‖."""
    margin: float = Field(default=1.0, ge=0)
    """γ, how much nearer the true tail has to be."""
    facts_per_interaction: float = Field(default=1.0, ge=0)
    """Facts drawn in each step for an interaction of the batch, where there are any."""


class Cfkg(PreferenceModel):
    """Scores an item by how near it lies to the user moved by the relation `interacts`.

    Only items and users have COVE; the other entities have plain embeddings.
    """

    def __init__(
        self,
        settings: CfkgSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self._first_other = NUM_SPECIAL + num_items
        self.relations = self._new_table(1)  # [1 + R, D], `interacts` first
        self.others = self._new_table(0)  # [O, D]
        self._facts: _Facts | None = None

    def _new_table(self, rows: int) -> nn.Parameter:
        table = torch.empty(rows, self.settings.dimensions, device=self.items.weight.device)
        return nn.Parameter(nn.init.normal_(table, std=EMBEDDING_SCALE))

    def know_facts(self, heads: Tensor, relations: Tensor, tails: Tensor, num_others: int) -> None:
        """See `PreferenceModel`.

        Raises:
            DataError: the three differ in number, or an entity or a relation cannot be.
        """
        if not len(heads) == len(relations) == len(tails):
            raise DataError(
                "heads, relations and tails must be as many: "
                f"got {len(heads)}, {len(relations)} and {len(tails)}"
            )
        if not len(heads):
            return
        end = self._first_other + num_others
        entities = torch.cat([heads, tails])
        if int(entities.min()) < NUM_SPECIAL or int(entities.max()) >= end:
            raise DataError(
                f"heads and tails must be from {NUM_SPECIAL} to {end - 1}: "
                f"got {int(entities.min())} to {int(entities.max())}"
            )
        if int(relations.min()) < 0:
            raise DataError(f"relations count from 0: got {int(relations.min())}")
        device = self.items.weight.device
        self._facts = _Facts.of(heads.to(device), relations.to(device), tails.to(device))
        self.relations = self._new_table(2 + int(relations.max()))
        self.others = self._new_table(num_others)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Take relations and other entities of any number: scoring needs no facts."""
        for name in ("relations", "others"):
            given, own = state_dict.get(prefix + name), self.get_parameter(name)
            if given is not None and given.shape[1:] == own.shape[1:] and len(given) != len(own):
                setattr(self, name, self._new_table(len(given)))
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def interact(self, user: Tensor, items: Tensor) -> Tensor:
        return -self._distances(user + self.relations[0], items)

    def interact_all(self, user: Tensor, items: Tensor) -> Tensor:
        wanted = user + self.relations[0]
        norms = wanted.square().sum(dim=1, keepdim=True) + items.square().sum(dim=1)
        scores = torch.addmm(norms, wanted, items.T, beta=-1, alpha=2)
        return scores if self.settings.distance == "squared" else -(-scores).clamp(min=0).sqrt()

    def predict(self, batch: PairBatch) -> Prediction:
        # Looked up in the same order with facts and without: a process with few rows has none.
        user, chosen = self.users(batch.users), candidates(batch)
        facts = self._draw(len(batch.users))
        if facts is None:
            losses = self._losses(-self.interact(user, self.items(chosen)))
            return Prediction(losses.mean())
        entities = torch.cat([facts.heads, *facts.tails.unbind(dim=1)])
        is_item = entities < self._first_other
        looked_up = self.items(torch.cat([chosen.flatten(), entities.where(is_item, PAD)]))
        items, known = looked_up.split([chosen.numel(), len(entities)])
        if len(self.others):
            rows = (entities - self._first_other).clamp(min=0)
            known = known.where(is_item[:, None], F.embedding(rows, self.others))
        heads, *tails = known.chunk(3)
        moved = heads + F.embedding(facts.relations + 1, self.relations)
        of_interactions = self._losses(-self.interact(user, items.view(*chosen.shape, -1)))
        of_facts = self._losses(self._distances(moved, torch.stack(tails, dim=1)))
        return Prediction(torch.cat([of_interactions.flatten(), of_facts.flatten()]).mean())

    def _distances(self, moved: Tensor, tails: Tensor) -> Tensor:
        """d [B, M] of h + r [B, D] to tails [B, M, D]."""
        gaps = moved[:, None] - tails
        if self.settings.distance == "squared":
            return gaps.square().sum(dim=-1)
        lengths: Tensor = torch.linalg.vector_norm(gaps, dim=-1)  # its gradient is 0 at 0
        return lengths

    def _losses(self, distances: Tensor) -> Tensor:
        """The loss [.., K] of each pair in distances [.., 1 + K] to tails, the true one first."""
        gaps = self.settings.margin + distances[:, :1] - distances[:, 1:]
        return F.relu(gaps) if self.settings.loss == "hinge" else F.softplus(gaps)

    def _draw(self, interactions: int) -> "_Draw | None":
        count = round(interactions * self.settings.facts_per_interaction)
        return None if self._facts is None or not count else self._facts.draw(count)


class _Draw(NamedTuple):
    """Facts of a step."""

    heads: Tensor  # [F]
    relations: Tensor  # [F]
    tails: Tensor  # [F, 2], the true one and another


class _Facts(NamedTuple):
    """All facts, on the device, and the tails that each relation has."""

    heads: Tensor
    relations: Tensor
    tails: Tensor
    choices: Tensor  # distinct tails of relation 0, then those of relation 1, …
    starts: Tensor  # where each relation's begin
    counts: Tensor  # how many they are

    @classmethod
    def of(cls, heads: Tensor, relations: Tensor, tails: Tensor) -> "_Facts":
        kinds, choices = torch.unique(torch.stack([relations, tails]), dim=1)
        counts = torch.bincount(kinds)
        return cls(heads, relations, tails, choices, counts.cumsum(0) - counts, counts)

    def draw(self, count: int) -> _Draw:
        """Facts, uniformly and with repeats, by torch's global generator."""
        device = self.heads.device
        rows = torch.randint(len(self.heads), (count,), device=device)
        relations = self.relations[rows]
        place = torch.randint(1 << 62, (count,), device=device) % self.counts[relations]
        wrong = self.choices[self.starts[relations] + place]
        return _Draw(self.heads[rows], relations, torch.stack([self.tails[rows], wrong], dim=1))
