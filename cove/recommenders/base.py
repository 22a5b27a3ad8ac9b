"""What every recommender is, a loss on a batch; and the completion of lists."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.dense import Dense
from cove.retrieval import Barred
from cove.vocabulary import PAD

_SCORES_AT_ONCE = {"cpu": 1 << 22, "cuda": 1 << 26}
"""Scores held in memory while lists are completed. On a CPU 16 megabytes, which the allocator keeps
from one step to the next: larger ones are given back, and their pages must be made anew."""
_FEWEST_AT_ONCE = 16
"""Lists that are completed together in any case: a product with fewer rows wastes the table."""


class Prediction(NamedTuple):
    """What a recommender gives for a training batch. M predicted positions."""

    loss: Tensor  # [], L_rec
    states: Tensor | None = None  # [M, D], output states, for the codebook classification loss
    targets: Tensor | None = None  # [M] int64, indices of the items to be predicted


class Recommender(nn.Module, ABC):
    """A loss on a batch; its `EntityEmbedding`s are all that it knows of COVE."""

    looks_up_by_id = False
    """Whether a training step looks up the batch's ids alone, never whole tables: their gradients
    may then be row-sparse."""

    @abstractmethod
    def entities(self) -> Mapping[str, EntityEmbedding]:
        """The embeddings that COVE may be on, by entity: "item", and "user" where there are."""

    @abstractmethod
    def ids_in(self, batch: Any) -> Mapping[str, Tensor]:
        """The indices of each entity that a batch holds."""

    @abstractmethod
    def predict(self, batch: Any) -> Prediction:
        """The training loss of a batch, L_rec."""

    def start_epoch(self, epoch: int, num_epochs: int) -> None:
        """Hear which epoch (from 0) of how many begins; a curriculum sets its stage here."""

    def pack(self) -> None:
        """Lay out what scores are made of as this processor multiplies it fastest, for a model that
        answers and is trained no more."""

    def may_stop(self, epoch: int, num_epochs: int) -> bool:
        """Whether training may end early after this epoch: not before a curriculum's last stage."""
        return True


class UserItemRecommender(Recommender):
    """A recommender that knows users as well as items, and looks both up by id.

    dimensions: D, the width of both tables.
    """

    looks_up_by_id = True

    def __init__(
        self,
        dimensions: int,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None,
        item_quantizer: QuantizerSettings | None,
    ) -> None:
        super().__init__()
        self.users = EntityEmbedding(num_users, dimensions, user_quantizer)
        self.items = EntityEmbedding(num_items, dimensions, item_quantizer)

    def entities(self) -> Mapping[str, EntityEmbedding]:
        return {"user": self.users, "item": self.items}


class ListCompleter(Recommender):
    """A recommender that completes lists."""

    items: EntityEmbedding

    def entities(self) -> Mapping[str, EntityEmbedding]:
        return {"item": self.items}

    def ids_in(self, batch: ListBatch) -> Mapping[str, Tensor]:
        return {"item": torch.cat([part.flatten() for part in batch])}

    def start_from_popularity(self, counts: Tensor) -> None:
        """Take the items' occurrences in training, [N], as a starting point, where that helps."""

    @abstractmethod
    def predict(self, batch: ListBatch) -> Prediction:
        """The training loss of a batch, L_rec."""

    def query_states(self, inputs: Tensor) -> Tensor | None:
        """What the head is first asked for when lists [B, L] are completed, states [M, D]; None
        where an item's score is no product with a state, or more than that."""
        return None

    @abstractmethod
    def _complete(self, inputs: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        """Complete lists [B, L], never by an item that is barred."""

    @abstractmethod
    def _scores_per_list(self, length: int, k: int) -> int:
        """How many scores one list of `length` items needs in memory at once."""

    def pack(self) -> None:
        for module in self.modules():
            if isinstance(module, CatalogueHead):
                module.pack(self.items.all())
            elif isinstance(module, Dense):
                module.pack()

    @torch.inference_mode()
    def complete(
        self,
        batch: ListBatch,
        k: int,
        forbidden: Tensor | None = None,
        excluded: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The k best continuations of each list, best first.

        batch.inputs: [B, L]; forbidden: [B or 1, NUM_SPECIAL + N] bool, True where an item may not
        be given; excluded: [B, E] int64, further items of each list that may not, PAD where there
        are fewer. Given items and special ids are never given. Returns indices [B, k] int64 and
        scores [B, k] float32; where candidates run out, PAD and −inf.
        """
        inputs = batch.inputs
        barred = Barred(inputs, forbidden)
        if excluded is not None:
            barred = barred.also(excluded)
        chosen, scores = [], []
        for part in self._parts(inputs, k):
            indices, values = self._complete(inputs[part], k, barred.of(part))
            chosen.append(indices.masked_fill(values == -torch.inf, PAD))
            scores.append(values.float())
        if not chosen:
            return inputs.new_zeros((0, k)), torch.zeros((0, k), device=inputs.device)
        return torch.cat(chosen), torch.cat(scores)

    def _parts(self, inputs: Tensor, k: int) -> Iterator[slice]:
        """Lists [B, L] in parts that fit into memory."""
        most = scores_at_once(inputs.device)
        per_list = max(1, self._scores_per_list(inputs.shape[1], k))
        size = max(_FEWEST_AT_ONCE, most // per_list)
        for start in range(0, len(inputs), size):
            yield slice(start, start + size)


def scores_at_once(device: torch.device) -> int:
    """How many scores a device holds while lists are completed."""
    return _SCORES_AT_ONCE.get(device.type, _SCORES_AT_ONCE["cpu"])


def last_items(inputs: Tensor, length: int) -> Tensor:
    """The last `length` items of right-padded lists [B, L], right-padded again."""
    if inputs.shape[1] <= length:
        return inputs
    sizes = (inputs != PAD).sum(dim=1, keepdim=True)
    start = (sizes - length).clamp(min=0)
    return inputs.gather(1, start + torch.arange(length, device=inputs.device))


def whole_lists(batch: ListBatch) -> Tensor:
    """Both halves of each list joined, padded on the right alone: [B, longest whole list]."""
    joined = torch.cat(batch, dim=1)
    order = (joined == PAD).to(torch.uint8).argsort(dim=1, stable=True)
    longest = int((joined != PAD).sum(dim=1).max()) if len(joined) else 0
    return joined.gather(1, order[:, :longest])
