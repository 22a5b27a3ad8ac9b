"""A model's items, or its users, indexed for reading.

N entities, D dimensions, H levels, v codes of a level. Rows are positions in the vocabulary: they
count from 0 without the special ids.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from cove.entity_tables import EntityTables
from cove.vocabulary import NUM_SPECIAL, ExternalId, Vocabulary

Entity = Literal["item", "user"]
_ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class Level:
    """The codes of one level and the entities in each."""

    number: int
    codebook: Tensor  # [v, D]
    sizes: Tensor  # [v], entities of each code
    popularity: Tensor  # [v], occurrences of those entities in training
    parents: Tensor | None  # [v], codes one level up
    distances: Tensor  # [N], each entity to its code
    starts: Tensor  # [v + 1], where a code's rows begin in the two orders
    by_popularity: Tensor  # [N] rows, code after code, the most popular first
    by_closeness: Tensor  # [N] rows, code after code, the closest first

    def rows(self, code: int, by: str = "popularity") -> Tensor:
        """The rows of a code's entities, in one of the two orders."""
        order = self.by_closeness if by == "closeness" else self.by_popularity
        return order[int(self.starts[code]) : int(self.starts[code + 1])]

    @property
    def size(self) -> int:
        """How many codes the level has."""
        return len(self.codebook)


class EntityIndex:
    """One entity's tables of one model; it never changes.

    own: [N, D], what distances to codes are measured from.
    """

    def __init__(self, model_id: str, entity: Entity, tables: EntityTables, own: Tensor) -> None:
        self.model_id = model_id
        self.entity: Entity = entity
        self.vocabulary: Vocabulary = tables.vocabulary
        self.titles = tables.titles
        self.categories = tables.categories
        self.popularity = tables.popularity  # [N]
        self.codes = tables.codes  # [N, H]
        self._embeddings = tables.embeddings  # [N, D]
        self.levels = [
            _level(
                number=column + 1,
                codes=tables.codes[:, column],
                codebook=tables.codebooks[column].float(),
                parents=tables.parents[column] if column + 1 < tables.codes.shape[1] else None,
                popularity=tables.popularity,
                own=own.float(),
            )
            for column in range(tables.codes.shape[1])
        ]

    def row_of(self, external: ExternalId) -> int | None:
        """The row of an id, None where the model does not know it."""
        index = self.vocabulary.index_of(external)
        return None if index is None else index - NUM_SPECIAL

    def title(self, row: int) -> str | None:
        """An entity's title, where the data have one."""
        return self.titles[row] or None if self.titles else None

    def external(self, row: int) -> ExternalId:
        """An entity's id as it was in the data."""
        return self.vocabulary.ids[row]

    def codes_of(self, row: int) -> list[int]:
        """An entity's codes, level 1 first."""
        return [int(code) for code in self.codes[row]]

    def directions(self, rows: Tensor) -> Tensor:
        """z_c of rows [M] at length 1, [M, D]."""
        return torch.nn.functional.normalize(self._embeddings[rows], dim=1)

    def cosines(self, vector: Tensor) -> Tensor:
        """The cosine of every z_c with a vector [D], [N]."""
        return (self._embeddings @ torch.nn.functional.normalize(vector, dim=0)) / self._lengths

    @cached_property
    def _lengths(self) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(self._embeddings, dim=1)
        return lengths.clamp(min=1e-12)  # [N]

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
