"""What a recommender is given. B lists or pairs, L input slots, T target slots."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD


class ListBatch(NamedTuple):
    """Lists, each cut into the part that is given and the part to be found.

    inputs: [B, L] int64 indices, padded on the right with PAD.
    targets: [B, T] int64 indices, padded likewise; T is 0 where nothing is known of them.
    """

    inputs: Tensor
    targets: Tensor

    def to(self, device: torch.device | str) -> "ListBatch":
        """Give the same batch on another device."""
        return ListBatch(self.inputs.to(device), self.targets.to(device))


class ClickBatch(NamedTuple):
    """Pairs of a user and an item, each with what came of it.

    users, items: [B] int64 indices; PAD stands for one that training does not know.
    labels: [B] float32, 1 for a click (or a liking), 0 for none.
    """

    users: Tensor
    items: Tensor
    labels: Tensor

    def to(self, device: torch.device | str) -> "ClickBatch":
        """Give the same batch on another device."""
        return ClickBatch(*(part.to(device) for part in self))


class PairBatch(NamedTuple):
    """Users, each with an item that they chose and items that they did not. K negatives.

    users, positives: [B] int64 indices; negatives: [B, K] int64 indices.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor

    def to(self, device: torch.device | str) -> "PairBatch":
        """Give the same batch on another device."""
        return PairBatch(*(part.to(device) for part in self))


Batch = ListBatch | ClickBatch | PairBatch


class Part(NamedTuple):
    """One of `of` parts, `number` from 0: rows `number`, `number` + `of`, and so on."""

    number: int = 0
    of: int = 1

    def rows(self, whole: Tensor) -> Tensor:
        """This part's rows of a tensor [n, ...]."""
        return whole if self.of == 1 else whole[self.number :: self.of]


WHOLE = Part()


def rows_of(batch: Batch, part: Part) -> Batch:
    """A part of a batch, which may have no rows."""
    if part.of == 1:
        return batch
    return type(batch)(*(part.rows(each) for each in batch))


def distinct_entities(ids: Tensor) -> Tensor:
    """The distinct entities among ids [...], ascending: [n] int64, special ids left out."""
    distinct: Tensor = torch.unique(ids)
    return distinct[distinct >= NUM_SPECIAL]


def pad_lists(lists: Sequence[Sequence[int]]) -> Tensor:
    """Stack lists of indices into one [B, longest] int64 tensor, PAD on the right."""
    longest = max((len(one) for one in lists), default=0)
    rows = [list(one) + [PAD] * (longest - len(one)) for one in lists]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), longest)
