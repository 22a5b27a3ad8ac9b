"""The items that each user has, as flat tensors. B users, U of them in all, n distinct pairs."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL


class Histories:
    """The items of every user, a repeat counted once, ascending.

    users, items: [m] int64 indices of the pairs, in any order; num_users: U, specials not counted.
    """

    def __init__(self, users: Tensor, items: Tensor, num_users: int) -> None:
        size = int(items.max()) + 1 if len(items) else 1
        pairs = (users * size + items).unique()  # ascending
        self.items = pairs % size  # [n]
        sizes = torch.bincount(pairs // size, minlength=NUM_SPECIAL + num_users)
        self.starts = F.pad(sizes.cumsum(0), (1, 0))  # [NUM_SPECIAL + U + 1]

    def to(self, device: torch.device) -> "Histories":
        """Move the tensors to a device, in place."""
        self.items, self.starts = self.items.to(device), self.starts.to(device)
        return self

    def sizes(self) -> Tensor:
        """How many items each user has, [NUM_SPECIAL + U]."""
        return self.starts.diff()

    def users(self) -> Tensor:
        """The user of every pair, [n], as `items` has its item."""
        return torch.arange(len(self.starts) - 1, device=self.items.device).repeat_interleave(
            self.sizes()
        )

    def of(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """The items of users [B] one after another, [t], and the place in `users` of each, [t]."""
        rows, places = ragged(self.starts[users], self.starts[users + 1])
        return self.items[places], rows


def ragged(starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """The range of each number, [t], and the numbers from its start to its end - 1, [t].

    starts, ends: [B] int64, no end below its start.
    """
    sizes = ends - starts
    rows = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
    first = sizes.cumsum(0) - sizes
    return rows, torch.arange(len(rows), device=sizes.device) + (starts - first)[rows]
