"""Simple models of preferences that a recommender must beat. B users, U in all, N items.

Each knows the training interactions alone and has `score_all(users)`, as a `PreferenceModel` has:
scores [B, N] of all items for users [B] int64 indices. V = NUM_SPECIAL + N indices.
"""

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL
from training.evaluation import baselines
from training.evaluation.histories import Histories, ragged


class PreferenceBaseline(Protocol):
    """What is asked of a baseline."""

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items for users [B] int64 indices."""


class MostPopular:
    """The same scores for every user: each item's training interactions, [N]."""

    def __init__(self, popularity: Tensor) -> None:
        self.popularity = popularity.float()

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items for users [B] int64 indices."""
        return self.popularity.to(users.device).expand(len(users), -1)


class ItemKnn:
    """Items most like the user's own: `baselines.ItemKnn`, with users in the place of lists.

    score(u, j) = Σ over items i of u that have j as neighbour, cooc(i, j) / (√(n_i n_j) + shrink).
    histories: each user's training items; neighbours: how many of each item count.
    """

    def __init__(
        self, histories: Histories, num_items: int, neighbours: int = 100, shrink: float = 10.0
    ) -> None:
        self.histories, self.num_items = histories, num_items
        made = baselines.ItemKnn(_lists(histories), num_items, neighbours, shrink)
        similar = made.similar_to.t().coalesce()  # [V, V], row i holds the neighbours of i
        given, self.neighbours = similar.indices()
        self.similarities = similar.values()
        sizes = torch.bincount(given, minlength=NUM_SPECIAL + num_items)
        self.starts = F.pad(sizes.cumsum(0), (1, 0))  # [V + 1]

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items for users [B] int64 indices."""
        items, owners = self.histories.of(users.cpu())
        rows, places = ragged(self.starts[items], self.starts[items + 1])
        size = NUM_SPECIAL + self.num_items
        cells = owners[rows] * size + self.neighbours[places]
        scores = torch.zeros(len(users) * size).index_add_(0, cells, self.similarities[places])
        return scores.view(-1, size)[:, NUM_SPECIAL:].to(users.device)


class Ease:
    """EASE (Steck 2019): `baselines.Ease`, with users in the place of lists.

    histories: each user's training items; regularization: λ > 0; device: where the dense N × N
    matrix is inverted and kept.

    Raises:
        DataError: more items than `baselines.Ease.MOST_ITEMS`.
    """

    def __init__(
        self,
        histories: Histories,
        num_items: int,
        regularization: float = 500.0,
        device: torch.device | None = None,
    ) -> None:
        self.histories = histories
        made = baselines.Ease(_lists(histories), num_items, regularization, device)
        # The inverse comes column by column; rows are what is added up for each user.
        self.weights = made.weights[:, NUM_SPECIAL:].contiguous()  # [V, N]

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items for users [B] int64 indices."""
        items, owners = self.histories.of(users.cpu())
        starts = torch.searchsorted(owners, torch.arange(len(users)))
        device = self.weights.device
        scores = F.embedding_bag(items.to(device), self.weights, starts.to(device), mode="sum")
        return scores.to(users.device)


class ImplicitAls:
    """iALS (Hu, Koren and Volinsky 2008), as the package `implicit` computes it.

    histories: each user's training items; dimensions: D; confidence: the weight of an interaction
    beside 1 of all else; threads: 0 for all cores.

    Raises:
        DataError: `implicit` is not installed.
    """

    def __init__(
        self,
        histories: Histories,
        num_items: int,
        dimensions: int = 64,
        regularization: float = 0.01,
        confidence: float = 10.0,
        iterations: int = 15,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        try:
            from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415
            from scipy.sparse import csr_matrix  # noqa: PLC0415
            from threadpoolctl import threadpool_limits  # noqa: PLC0415
        except ImportError:
            raise DataError("iALS needs the package implicit: pip install implicit") from None
        shape = (len(histories.starts) - 1 - NUM_SPECIAL, num_items)
        starts, items = histories.starts[NUM_SPECIAL:].cpu(), histories.items.cpu() - NUM_SPECIAL
        content = (np.ones(len(items), dtype=np.float32), items.numpy(), starts.numpy())
        # The package has threads of its own: a BLAS with more under them is many times as slow.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=dimensions,
                regularization=regularization,
                alpha=confidence,
                iterations=iterations,
                random_state=seed,
                num_threads=threads,
            )
            model.fit(csr_matrix(content, shape=shape), show_progress=False)
        self.users = torch.from_numpy(np.asarray(model.user_factors))  # [U, D]
        self.items = torch.from_numpy(np.asarray(model.item_factors))  # [N, D]

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, N] of all items for users [B] int64 indices."""
        return (self.users[users.cpu() - NUM_SPECIAL] @ self.items.t()).to(users.device)


def _lists(histories: Histories) -> list[list[int]]:
    """The items of every user, as the baselines of lists take them."""
    return [one.tolist() for one in histories.items.cpu().split(histories.sizes().tolist())]
