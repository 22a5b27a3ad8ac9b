"""How true categories, which no model has seen, spread over the codes that were learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.browsing_schemas import CategoryShare

if TYPE_CHECKING:
    from app.services.entity_index import Level


class TrueCategories:
    """The categories of a model's items, and the share of each among the items of a code.

    An item may have several, so the shares of a code may add up to more than 1.
    """

    def __init__(self, categories: Sequence[Iterable[str]]) -> None:
        """`categories`: of each row, in the order of the rows."""
        self.names = sorted({name for own in categories for name in own})
        place = {name: at for at, name in enumerate(self.names)}
        pairs = [(row, place[name]) for row, own in enumerate(categories) for name in set(own)]
        self._rows, self._names = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).unbind(1)
        self._levels: dict[int, _LevelShares] = {}

    def shares(self, level: Level, code: int, limit: int | None) -> list[CategoryShare]:
        """The categories of a code's items, the most frequent first."""
        found = self._levels.get(level.number)
        if found is None:
            found = _LevelShares(level.codes[self._rows], self._names, level.size, len(self.names))
            self._levels[level.number] = found
        names, counts = found.of(code)
        order = torch.argsort(counts, descending=True, stable=True)[:limit]
        return [
            CategoryShare(category=self.names[name], share=count / int(level.sizes[code]))
            for name, count in zip(names[order].tolist(), counts[order].tolist(), strict=True)
        ]


class _LevelShares:
    """How often each category occurs in each code of a level: only what occurs is kept."""

    def __init__(self, codes: Tensor, names: Tensor, num_codes: int, num_names: int) -> None:
        """codes, names: [P], the code and the category of each pair of an item and a category."""
        self._num_codes, self._num_names = num_codes, num_names
        self._keys, self._counts = torch.unique(codes * num_names + names, return_counts=True)

    def of(self, code: int) -> tuple[Tensor, Tensor]:
        """A code's categories and how often each occurs."""
        part = slice(int(self._starts[code]), int(self._starts[code + 1]))
        return self._keys[part] % self._num_names, self._counts[part]

    @cached_property
    def _starts(self) -> Tensor:
        """[v + 1], where a code's keys begin."""
        return torch.searchsorted(self._keys, torch.arange(self._num_codes + 1) * self._num_names)
