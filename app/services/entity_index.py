"""A model's items, or its users, indexed for reading.

N entities, D dimensions, H levels, v codes of a level. Rows are positions in the vocabulary: they
count from 0 without the special ids.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from app.services.true_categories import TrueCategories
from cove.entity_tables import EntityTables
from cove.projection import principal_plane
from cove.quality import CodeQuality
from cove.views import EntityViews, quality_of
from cove.vocabulary import NUM_SPECIAL, ExternalId, Vocabulary

Entity = Literal["item", "user"]
_ROWS_AT_ONCE = 65536
_MEASURED_AT_ONCE = 200_000
"""Entities whose codes are measured while somebody waits, where the artifact has no figures."""


@dataclass(frozen=True)
class Level:
    """The codes of one level and the entities in each; what is counted or ordered is when it is
    first asked for."""

    number: int
    codebook: Tensor  # [v, D]
    codes: Tensor  # [N], each entity's code
    occurrences: Tensor  # [N], of each entity in training
    parents: Tensor | None  # [v], codes one level up
    most_popular: Callable[[], Tensor]
    """[N] rows, the most popular first."""
    own: Tensor  # [N, D], what distances are measured from

    def rows(self, code: int, by: str = "popularity") -> Tensor:
        """The rows of a code's entities, the most popular or those of "closeness" first."""
        rows = self._by_popularity[int(self._starts[code]) : int(self._starts[code + 1])]
        return rows if by != "closeness" else rows[self.distances(rows).argsort(stable=True)]

    def first_rows(self) -> list[int | None]:
        """The most popular row of each code; None for one without entities."""
        used = self.sizes > 0
        first = self._by_popularity[self._starts[:-1].clamp(max=len(self.codes) - 1)]
        pairs = zip(first.tolist(), used.tolist(), strict=True)
        return [row if has_any else None for row, has_any in pairs]

    @property
    def size(self) -> int:
        """How many codes the level has."""
        return len(self.codebook)

    @cached_property
    def sizes(self) -> Tensor:
        """[v], entities of each code."""
        return torch.bincount(self.codes, minlength=self.size)

    @cached_property
    def popularity(self) -> Tensor:
        """[v], occurrences in training of each code's entities."""
        return torch.zeros(self.size, dtype=torch.int64).index_add_(0, self.codes, self.occurrences)

    def distances(self, rows: Tensor) -> Tensor:
        """Of entities in `rows` [M], each to its code, [M]."""
        parts = torch.split(rows.long(), _ROWS_AT_ONCE)
        found = [(self.own[part].float() - self.codebook[self.codes[part]]) for part in parts]
        return torch.cat([each.norm(dim=1) for each in found])

    @cached_property
    def closeness(self) -> Tensor:
        """[v], the mean distance of each code's entities; not a number where it has none."""
        distances = self.distances(torch.arange(len(self.codes)))
        return torch.zeros(self.size).index_add_(0, self.codes, distances) / self.sizes

    @cached_property
    def _starts(self) -> Tensor:
        """[v + 1], where a code's rows begin."""
        return torch.nn.functional.pad(self.sizes.cumsum(0), (1, 0))

    @cached_property
    def _by_popularity(self) -> Tensor:
        """[N] rows, code after code, the most popular of each first."""
        order = self.most_popular()
        codes = self.codes[order].numpy()
        if self.size <= 1 << 16:  # numpy counts 16 bits, where it compares others: ten times faster
            codes = codes.astype(np.uint16)
        return order[torch.from_numpy(codes.argsort(kind="stable"))]


class EntityIndex:
    """One entity's tables of one model; it never changes.

    own: [N, D], what distances to codes are measured from; views: what the artifact keeps for
    people to look at.
    """

    def __init__(
        self,
        model_id: str,
        entity: Entity,
        tables: EntityTables,
        own: Tensor,
        views: EntityViews | None = None,
    ) -> None:
        self.model_id = model_id
        self.entity: Entity = entity
        self.vocabulary: Vocabulary = tables.vocabulary
        self.titles = tables.titles
        self.categories = tables.categories
        self.popularity = tables.popularity  # [N]
        self.codes = tables.codes  # [N, H]
        self._embeddings = tables.embeddings  # [N, D]
        self._tables, self._views = tables, views or EntityViews()
        self.levels = [self._level(tables, column, own) for column in range(self.codes.shape[1])]

    def _level(self, tables: EntityTables, column: int, own: Tensor) -> Level:
        return Level(
            number=column + 1,
            codebook=tables.codebooks[column].float(),
            codes=tables.codes[:, column],
            occurrences=tables.popularity,
            parents=tables.parents[column] if column + 1 < tables.codes.shape[1] else None,
            most_popular=lambda: tables.search.order,
            own=own,
        )

    @cached_property
    def points(self) -> Tensor:
        """[N, 2], each entity on the map; made now where the artifact keeps none."""
        if self._views.points is not None:
            return self._views.points
        return principal_plane(self._embeddings)

    @cached_property
    def quality(self) -> CodeQuality | None:
        """How good the codes are; None where that cannot be told, or not now. Where the artifact
        does not keep it, it is measured now, without k-means codes."""
        if self._views.quality is not None or len(self.codes) > _MEASURED_AT_ONCE:
            return self._views.quality
        return quality_of(self._tables, seed=0, with_kmeans=False)

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
    def true_categories(self) -> TrueCategories | None:
        """How true categories spread over the codes; None where the data have none."""
        return TrueCategories(self.categories) if self.categories else None

    @cached_property
    def _lengths(self) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(self._embeddings, dim=1)
        return lengths.clamp(min=1e-12)  # [N]

    @property
    def most_popular(self) -> Tensor:
        """All rows, the most popular first, [N] int32."""
        return self._tables.search.order

    def found(self, text: str) -> Iterator[int]:
        """Rows whose id or title holds a text: that of the very id first, then the most popular."""
        row = self.row_of(text) if text else None
        if row is not None:
            yield row
        yield from (each for each in self._tables.search.rows(text) if each != row)
