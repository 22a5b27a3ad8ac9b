"""A model in memory, with everything that browsing and completing look up.

N items, D dimensions, H levels, v codes of a level. Rows are positions in the vocabulary: they
count from 0 without the special ids.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cove.artifact import Artifact, Manifest
from cove.recommenders import ListCompleter
from cove.vocabulary import NUM_SPECIAL, ExternalId, Vocabulary

_ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class Level:
    """The codes of one level and the items in each."""

    number: int
    codebook: Tensor  # [v, D]
    sizes: Tensor  # [v], items of each code
    popularity: Tensor  # [v], occurrences of those items in training
    parents: Tensor | None  # [v], codes one level up
    distances: Tensor  # [N], each item's own embedding to its code
    starts: Tensor  # [v + 1], where a code's rows begin in the two orders
    by_popularity: Tensor  # [N] rows, code after code, the most popular first
    by_closeness: Tensor  # [N] rows, code after code, the closest first

    def rows(self, code: int, by: str = "popularity") -> Tensor:
        """The rows of a code's items, in one of the two orders."""
        order = self.by_closeness if by == "closeness" else self.by_popularity
        return order[int(self.starts[code]) : int(self.starts[code + 1])]

    @property
    def size(self) -> int:
        """How many codes the level has."""
        return len(self.codebook)


class ServedModel:
    """An artifact's recommender and tables, indexed for reading; it never changes."""

    def __init__(self, artifact: Artifact) -> None:
        tables = artifact.items
        self.manifest: Manifest = artifact.manifest
        self.id: str = artifact.manifest.id
        self.recommender: ListCompleter = artifact.load_recommender()
        self.vocabulary: Vocabulary = tables.vocabulary
        self.titles = tables.titles
        self.categories = tables.categories
        self.popularity = tables.popularity  # [N]
        self.codes = tables.codes  # [N, H]
        self.directions = torch.nn.functional.normalize(tables.embeddings, dim=1)  # [N, D]
        own = artifact.weights["items.weight"][NUM_SPECIAL:].float()  # [N, D], z of Eq. 4
        self.levels = [
            _level(
                number=column + 1,
                codes=tables.codes[:, column],
                codebook=tables.codebooks[column].float(),
                parents=tables.parents[column] if column + 1 < tables.codes.shape[1] else None,
                popularity=tables.popularity,
                own=own,
            )
            for column in range(tables.codes.shape[1])
        ]

    def title(self, row: int) -> str | None:
        """An item's title, where the data have one."""
        return self.titles[row] or None if self.titles else None

    def external(self, row: int) -> ExternalId:
        """An item's id as it was in the data."""
        return self.vocabulary.ids[row]

    def item_codes(self, row: int) -> list[int]:
        """An item's codes, level 1 first."""
        return [int(code) for code in self.codes[row]]

    @cached_property
    def most_popular(self) -> Tensor:
        """All rows, the most popular first."""
        return torch.argsort(self.popularity, descending=True, stable=True)

    @cached_property
    def searched(self) -> list[tuple[str, str]]:
        """What a search looks through, a folded id and title for each row."""
        titles = self.titles or [""] * len(self.vocabulary)
        ids = self.vocabulary.ids
        return [(str(i).casefold(), t.casefold()) for i, t in zip(ids, titles, strict=True)]


def _level(
    number: int,
    codes: Tensor,
    codebook: Tensor,
    parents: Tensor | None,
    popularity: Tensor,
    own: Tensor,
) -> Level:
    size = len(codebook)
    sizes = torch.bincount(codes, minlength=size)
    distances = torch.cat(
        [
            (
                own[start : start + _ROWS_AT_ONCE] - codebook[codes[start : start + _ROWS_AT_ONCE]]
            ).norm(dim=1)
            for start in range(0, len(own), _ROWS_AT_ONCE)
        ]
        or [torch.zeros(0)]
    )
    return Level(
        number=number,
        codebook=codebook,
        sizes=sizes,
        popularity=torch.zeros(size, dtype=torch.int64).index_add_(0, codes, popularity),
        parents=parents,
        distances=distances,
        starts=torch.nn.functional.pad(sizes.cumsum(0), (1, 0)),
        by_popularity=_grouped(codes, torch.argsort(popularity, descending=True, stable=True)),
        by_closeness=_grouped(codes, torch.argsort(distances, stable=True)),
    )


def _grouped(codes: Tensor, order: Tensor) -> Tensor:
    return order[torch.argsort(codes[order], stable=True)]
