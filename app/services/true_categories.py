"""How true categories, which no model has seen, spread over the codes that were learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.browsing_schemas import CategoryShare
from cove.agreement import Contingency, contingency, memberships

if TYPE_CHECKING:
    from app.services.entity_index import Level


class TrueCategories:
    """The categories of a model's items, and the share of each among the items of a code.

    An item may have several, so the shares of a code may add up to more than 1.
    """

    def __init__(self, categories: Sequence[Sequence[str]]) -> None:
        """`categories`: of each row, in the order of the rows."""
        self._found = memberships(categories)
        self.names = self._found.names
        self._levels: dict[int, tuple[Contingency, Tensor]] = {}

    def shares(self, level: Level, code: int, limit: int | None) -> list[CategoryShare]:
        """The categories of a code's items, the most frequent first."""
        if level.number not in self._levels:
            table = contingency(level.codes, level.size, self._found)  # in the order of the codes
            starts = torch.searchsorted(table.codes, torch.arange(level.size + 1))
            self._levels[level.number] = table, starts
        table, starts = self._levels[level.number]
        part = slice(int(starts[code]), int(starts[code + 1]))
        names, counts = table.categories[part], table.counts[part]
        order = torch.argsort(counts, descending=True, stable=True)[:limit]
        return [
            CategoryShare(category=self.names[name], share=count / int(level.sizes[code]))
            for name, count in zip(names[order].tolist(), counts[order].tolist(), strict=True)
        ]
