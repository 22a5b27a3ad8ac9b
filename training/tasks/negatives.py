"""Items that a user does not have, drawn for a whole batch at once, on the device.

B users, K negatives each, U users and N items in all, V = NUM_SPECIAL + N indices.

Nothing is drawn twice: a user's unseen items lie end to end on a line, each as long as its weight,
a place on that line is drawn, and one binary search tells how much of what the user has seen lies
before it. So a draw is exact, takes one pass, and a user who has all items but one is no special
case.
"""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.histories import Histories

_DRAWN_AT_ONCE = 1 << 20
"""Items drawn at once: about 50 MiB."""

NegativeSampling = Literal["uniform", "popularity"]


class PreferenceSettings(BaseModel):
    """What a recommender of collaborative filtering learns from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    negatives: int = Field(1, ge=1)
    """Items that the user does not have, for each training interaction."""
    negative_sampling: NegativeSampling = "uniform"
    """All unseen items alike, or each in proportion to its training interactions."""
    validation_users: int = Field(0, ge=0)
    """Validate on so many users, the same in every epoch, drawn by the seed; 0 takes all. NeuMF
    runs its network for each pair, so that ranking every item for every user takes far longer
    than training does."""


class UnseenItems:
    """Every user's line of unseen items, in the vocabulary's order.

    seen: what each user has; weights: [V] int64, the length of each item, at least 1, and 0 for
    special ids; None where all have length 1.
    """

    def __init__(self, seen: Histories, num_items: int, weights: Tensor | None = None) -> None:
        users, items = seen.users(), seen.items
        self.passed: Tensor | None = None
        self.ends: Tensor | None = None
        if weights is None:
            self.total, self.first = num_items, seen.starts[:-1]
            before = items - NUM_SPECIAL
            passed, ends = torch.arange(len(items)), seen.starts
        else:
            self.ends = weights.cumsum(0)  # [V]
            before, own = self.ends[items] - weights[items], weights[items]
            self.total = int(self.ends[-1])
            # Seen weight in the order of pairs, [n + 1]; where all have length 1, their number.
            self.passed = F.pad(own.cumsum(0), (1, 0))
            self.first = self.passed[seen.starts[:-1]]  # [NUM_SPECIAL + U], that of earlier users
            passed, ends = self.passed[:-1], self.passed[seen.starts]
        # Where on its user's line of unseen items each seen one is left out; ascending.
        self.keys = users * self.total + before - (passed - self.first[users])  # [n]
        self.lengths = self.total - ends.diff()  # [NUM_SPECIAL + U]

    @classmethod
    def of_keys(cls, keys: Tensor, starts: Tensor, num_items: int) -> "UnseenItems":
        """Lines of items of length 1 from `keys` [n] as they were written, with a user's between
        two `starts` [NUM_SPECIAL + U + 1]: nothing is computed, nothing copied."""
        made = cls.__new__(cls)
        made.passed = made.ends = None
        made.total, made.keys, made.first = num_items, keys, starts[:-1]
        made.lengths = num_items - starts.diff()
        return made

    def to(self, device: torch.device) -> "UnseenItems":
        """Move the tensors to a device, in place."""
        for name in ("passed", "first", "keys", "lengths", "ends"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value.to(device))
        return self

    def at(self, users: Tensor, places: Tensor) -> Tensor:
        """The items at places on the lines of users, indices of the shape of both.

        places: int64, at least 0 and below `lengths[users]`.
        """
        seen_before = torch.searchsorted(self.keys, users * self.total + places, right=True)
        passed = seen_before if self.passed is None else self.passed[seen_before]
        reached = places + (passed - self.first[users])
        if self.ends is None:
            return reached + NUM_SPECIAL
        return torch.searchsorted(self.ends, reached, right=True)


class Negatives:
    """Draws items that users do not have in training; those of validation and test may come.

    count: K; unseen: what users lack.

    Raises:
        DataError: a user has every item, so there is nothing to draw.
    """

    def __init__(self, count: int, unseen: UnseenItems, num_items: int) -> None:
        self.count, self.unseen = count, unseen
        full = int((unseen.lengths == 0).sum())
        if full:
            raise DataError(
                f"each user must lack one of the {num_items} items at least, for negatives "
                f"are drawn from those: got {full} who have all in training"
            )

    @classmethod
    def of(cls, settings: PreferenceSettings, seen: Histories, popularity: Tensor) -> "Negatives":
        """Draws as the settings say; seen: the training items of each user; popularity: [N] int64,
        training interactions of each item, at least 1.

        Raises:
            DataError: as above.
        """
        by_popularity = settings.negative_sampling == "popularity"
        weights = F.pad(popularity, (NUM_SPECIAL, 0)) if by_popularity else None
        num_items = len(popularity)
        return cls(settings.negatives, UnseenItems(seen, num_items, weights), num_items)

    def to(self, device: torch.device) -> "Negatives":
        """Move the tensors to a device, in place."""
        self.unseen.to(device)
        return self

    def draw(self, users: Tensor) -> Tensor:
        """Items [B, K] that the users [B] lack, by torch's generator of the users' device."""
        each = users.repeat_interleave(self.count)  # [B * K]
        chances = torch.rand(len(each), dtype=torch.float64, device=users.device)
        places = chances.mul_(self.unseen.lengths[each]).long()
        return self.unseen.at(each, places).view(-1, self.count)

    def draw_many(self, users: Tensor) -> Tensor:
        """As `draw`, of any number of users and in bounded memory besides what is given back.

        With the users in ascending order this is three times as fast as many small draws in
        another, for the searches then go through memory in order.
        """
        parts = users.split(max(1, _DRAWN_AT_ONCE // self.count))
        return torch.cat([self.draw(part) for part in parts])


def draw_candidates(
    unseen: UnseenItems, users: Tensor, count: int, seed: tuple[int, ...]
) -> Tensor:
    """Different unseen items for every user, [B, count] indices; PAD where a user has no more.

    All sets of items are equally likely (Floyd's algorithm, for all users at once). The draw
    depends on the seed, the users and what they have, nothing else. users: [B] int64.
    """
    random = np.random.default_rng(seed)
    lengths = unseen.lengths[users].cpu().numpy()
    chosen = np.full((count, len(lengths)), -1, dtype=np.int64)
    for step in range(count):
        last = lengths - count + step
        place = (random.random(len(last)) * (last + 1)).astype(np.int64)
        taken = (chosen[:step] == place).any(axis=0)
        chosen[step] = np.where(last < 0, -1, np.where(taken, last, place))
    places = torch.from_numpy(chosen).to(users.device)  # [count, B]
    items = unseen.at(users.expand(count, -1).contiguous(), places.clamp(min=0))
    return items.masked_fill(places < 0, PAD).t().contiguous()
