"""What a recommender is given. B lists, L input slots, T target slots."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cove.vocabulary import PAD


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


def pad_lists(lists: Sequence[Sequence[int]]) -> Tensor:
    """Stack lists of indices into one [B, longest] int64 tensor, PAD on the right."""
    longest = max((len(one) for one in lists), default=0)
    rows = [list(one) + [PAD] * (longest - len(one)) for one in lists]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), longest)
