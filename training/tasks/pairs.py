"""The interactions that a recommender is trained on, in memory or in a prepared folder.

n interactions, U users, N items, V = NUM_SPECIAL + U indices of users.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, Vocabulary
from training.datasets.prepared import PreparedInteractions
from training.evaluation.histories import Histories, ragged
from training.tasks.indexing import occurrences
from training.tasks.negatives import UnseenItems


@dataclass
class Pairs:
    """Training interactions in memory, users ascending."""

    users: Tensor  # [n] int64 indices
    items: Tensor  # [n] int64 indices

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device) -> "Pairs":
        """Move the tensors to a device, in place."""
        self.users, self.items = self.users.to(device), self.items.to(device)
        return self

    def parts(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Users and items of what is shuffled together in an epoch: of all."""
        yield self.users, self.items

    def history_sizes(self, users: Vocabulary) -> Tensor:
        """How many items each user has, [V]."""
        return self.histories(users).sizes()

    def histories(self, users: Vocabulary) -> Histories:
        """The items of each user."""
        return Histories(self.users.cpu(), self.items.cpu(), len(users))

    def popularity(self, items: Vocabulary) -> Tensor:
        """Interactions of each item, [N] int64 on the CPU."""
        return occurrences(self.items, items)


class Shards:
    """The training interactions of a prepared folder: what `Pairs` is, one shard at a time.

    An epoch has the shards in another order each time, and every one of them shuffled. They are
    random shares of all interactions, and so large that two of one batch have as little in common
    as in a shuffle of all.
    """

    def __init__(self, data: PreparedInteractions) -> None:
        self.files, self.starts, self.seen = data.shards, data.tables.starts, data.seen
        self.num_items = len(data.items)
        self._popularity = data.tables.popularity
        self.device = torch.device("cpu")

    def __len__(self) -> int:
        return len(self.seen)

    def to(self, device: torch.device) -> "Shards":
        """Have every shard moved to a device when its turn comes."""
        self.device = device
        return self

    def parts(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Users and items of each shard, in an order that the generator draws."""
        for number in torch.randperm(len(self.files), generator=generator).tolist():
            shard = pl.read_parquet(self.files[number]).cast(pl.Int64)
            users, items = (
                torch.from_numpy(shard[name].to_numpy(writable=True)) for name in ("user", "item")
            )
            yield users.to(self.device), items.to(self.device)

    @property
    def users(self) -> Tensor:
        """The users of all interactions in memory, [n], ascending."""
        return self._all()[0]

    @property
    def items(self) -> Tensor:
        """The items of all interactions in memory, [n], of each user ascending."""
        return self._all()[1]

    def _all(self) -> tuple[Tensor, Tensor]:
        return self.of(torch.arange(len(self.starts) - 1))

    def of(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """The interactions of some users [B] in memory: users and items, [t] each."""
        rows, places = ragged(self.starts[users], self.starts[users + 1])
        users = users[rows]
        items = self.seen[places] - users * self.num_items + (places - self.starts[users])
        return users, items + NUM_SPECIAL

    def history_sizes(self, users: Vocabulary) -> Tensor:
        """How many items each user has, [V]."""
        return self.starts.diff()

    def histories(self, users: Vocabulary) -> Histories:
        """The items of each user, in memory."""
        return Histories(*self._all(), len(users))

    def popularity(self, items: Vocabulary) -> Tensor:
        """Interactions of each item, [N]."""
        return self._popularity

    def unseen(self) -> UnseenItems:
        """What each user lacks, mapped."""
        return UnseenItems.of_keys(self.seen, self.starts, self.num_items)
