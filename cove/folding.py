"""Fixed codes that move once in K steps: between two moves a table holds z_c, and costs no more.

Looking codes up, Adam's pass over them and their shrinkage took three quarters of the time of a
step of matrix factorization again. With z_c in the place of z a lookup is a plain one. Nor are
gradients of a code's vector e gathered: e has α times the sum of its entities', and therefore of
their first moments, which Adam keeps in any case and which are linear in gradients,

    m_e = α Σ m_z    over the code's entities

Of a sharded table each process folds the rows that it holds. N entities and V rows, special ids
first, lie in this process; v codes of level 1, D dimensions.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.batches import Part, distinct_entities
from cove.quantization import FixedCodes
from cove.row_table import RowTable
from cove.vocabulary import NUM_SPECIAL


class FoldedCodes:
    """A table with the codes of its entities folded in, from now until `undo`."""

    def __init__(self, table: RowTable, quantizer: FixedCodes) -> None:
        self.table, self.quantizer = table, quantizer
        first = 0 if table.shards is None else table.shards.first_row
        end = first + len(table.weight) - NUM_SPECIAL
        self._specials = min(max(0, NUM_SPECIAL - first), len(table.weight))
        self._codes = quantizer.fixed[max(0, first - NUM_SPECIAL) : max(0, end)]  # [N]
        size = quantizer.settings.code_sizes[0]
        self._members = self._codes.argsort(stable=True)  # [N], those of code 0, then of code 1, …
        counts = torch.bincount(self._codes, minlength=size)
        self._starts = F.pad(counts.cumsum(0), (1, 0))  # [v + 1], where each code's begin
        self._of_shrinkage = table.weight.new_zeros(size, table.weight.shape[1])  # for z̄ by code
        self._steps = 0
        self._add(self._vectors())

    @torch.no_grad()
    def _vectors(self) -> Tensor:
        """α z̄ of every fine code, [v, D]."""
        return self.quantizer.fine_averages() * self.quantizer.settings.alpha

    @torch.no_grad()
    def _add(self, vectors: Tensor) -> None:
        self.table.weight[self._specials :] += F.embedding(self._codes, vectors)

    def undo(self) -> None:
        """Leave z in the table."""
        self._add(-self._vectors())

    def move(self, update: Callable[[], object]) -> None:
        """Do what changes the codebooks; their entities follow."""
        before = self._vectors()
        update()
        self._add(self._vectors().sub_(before))

    @torch.no_grad()
    def give_gradients(self, first_moments: Tensor, steps: int, sum_up: Callable[..., Any]) -> None:
        """Give the codebooks the gradient of so many steps, whose average the table's first moments
        [V, D] hold.

        sum_up: adds up over all processes, in place: each knows its part of the shrinkage, and of
        a sharded table its rows.
        """
        of_entities = first_moments[self._specials :]
        gradient = F.embedding_bag(
            self._members, of_entities, self._starts, mode="sum", include_last_offset=True
        )
        gradient.mul_(steps * self.quantizer.settings.alpha)
        if self.table.shards is None:
            sum_up(self._of_shrinkage)
            gradient += self._of_shrinkage
        else:
            gradient += self._of_shrinkage
            sum_up(gradient)
        self._of_shrinkage.zero_()
        self.quantizer.add_gradient(gradient)

    def shrinkage(self, ids: Tensor, part: Part) -> Tensor:
        """Once in K steps K times the shrinkage of the distinct entities among a batch's ids [...],
        or of a part of them; else 0. Each step asks once."""
        settings, self._steps = self.quantizer.settings, self._steps + 1
        if (self._steps - 1) % settings.update_interval:
            return self.table.weight.new_zeros(())
        distinct = distinct_entities(ids)
        entities = part.rows(distinct)
        weight = settings.update_interval * settings.shrinkage / max(1, len(distinct))
        codes = self.quantizer.fixed[entities - NUM_SPECIAL]
        average = F.embedding(codes, self.quantizer.fine_averages().detach())
        if self.table.shards is None:  # a few rows beside all of the loss's
            aware = F.embedding(entities, self.table.weight, sparse=True)
        else:
            aware = self.table.look_up(entities)

        def hear(slope: Tensor) -> None:
            self._of_shrinkage.index_add_(0, codes, average * slope)

        loss: Tensor = _Shrinkage.apply(aware, average, settings.alpha, weight, hear)  # type: ignore[no-untyped-call]
        return loss


class _Shrinkage(torch.autograd.Function):
    """Σ w/2 (‖z‖² + ‖z̄‖²) with z = z_c − α z̄; `hear` is told w ∂/∂loss, for the gradient of z̄."""

    @staticmethod
    def forward(
        ctx: Any, aware: Tensor, average: Tensor, alpha: float, weight: float, hear: Any
    ) -> Tensor:
        own = torch.sub(aware, average, alpha=alpha)
        ctx.save_for_backward(own)
        ctx.weight, ctx.hear = weight, hear
        return (own.square().sum() + average.square().sum()) * (weight / 2)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (own,), slope = ctx.saved_tensors, ctx.weight * upstream[0]
        ctx.hear(slope)
        return own * slope, None, None, None, None
