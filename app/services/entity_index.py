"""A model's items, or its users, indexed for reading.

N entities, D dimensions, H levels, v codes of a level. Rows are positions in the vocabulary: they
count from 0 without the special ids.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

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
    """The codes of one level and the entities in each; orders are made when first asked for."""

    number: int
    codebook: Tensor  # [v, D]
    codes: Tensor  # [N], each entity's code
    sizes: Tensor  # [v], entities of each code
    popularity: Tensor  # [v], occurrences of those entities in training
    parents: Tensor | None  # [v], codes one level up
    most_popular: Callable[[], Tensor]
    """[N] rows, the most popular first."""
    own: Tensor  # [N, D], what distances are measured from

    def rows(self, code: int, by: str = "popularity") -> Tensor:
        """The rows of a code's entities, the most popular or those of "closeness" first."""
        order = self._by_closeness if by == "closeness" else self._by_popularity
        return order[int(self._starts[code]) : int(self._starts[code + 1])]

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
    def distances(self) -> Tensor:
        """[N], each entity to its code."""
        parts = zip(*(torch.split(t, _ROWS_AT_ONCE) for t in (self.own, self.codes)), strict=True)
        found = [(own.float() - self.codebook[codes]).norm(dim=1) for own, codes in parts]
        return torch.cat(found)

    @cached_property
    def closeness(self) -> Tensor:
        """[v], the mean distance of each code's entities; not a number where it has none."""
        sums = torch.zeros(self.size).index_add_(0, self.codes, self.distances)
        return sums / self.sizes

    @cached_property
    def _starts(self) -> Tensor:
        """[v + 1], where a code's rows begin in the two orders."""
        return torch.nn.functional.pad(self.sizes.cumsum(0), (1, 0))

    @cached_property
    def _by_popularity(self) -> Tensor:
        return self._grouped(self.most_popular())

    @cached_property
    def _by_closeness(self) -> Tensor:
        return self._grouped(torch.argsort(self.distances, stable=True))

    def _grouped(self, order: Tensor) -> Tensor:
        """[N] rows, code after code, those of a code in a given order of all."""
        return order[torch.argsort(self.codes[order], stable=True)]


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
        codes, codebook = tables.codes[:, column].contiguous(), tables.codebooks[column].float()
        popularity = torch.zeros(len(codebook), dtype=torch.int64)
        return Level(
            number=column + 1,
            codebook=codebook,
            codes=codes,
            sizes=torch.bincount(codes, minlength=len(codebook)),
            popularity=popularity.index_add_(0, codes, tables.popularity),
            parents=tables.parents[column] if column + 1 < tables.codes.shape[1] else None,
            most_popular=lambda: self.most_popular,
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
