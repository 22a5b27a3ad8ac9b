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
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.batches import Part, distinct_entities
from cove.quantization import FixedCodes
from cove.row_table import RowTable
from cove.vocabulary import NUM_SPECIAL

_FIRST_MEMORY = 0.9
"""β₁ of Adam on the table."""
_PAYMENTS = 4
"""How often shrinkage is paid between two moves: paid at once it would be so large beside the
gradient of a step that Adam's second moments would remember little else."""


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
        self._first = first
        self._owed: list[_Payment] = []
        self._paid: list[_Payment] = []  # since the codes moved
        self.steps = 0
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
        own, of_entities = self._of_payments(steps), first_moments[self._specials :]
        gradient = F.embedding_bag(
            self._members, of_entities, self._starts, mode="sum", include_last_offset=True
        )
        gradient.mul_(steps * self.quantizer.settings.alpha)
        if self.table.shards is None:
            gradient += sum_up(own)
        else:
            gradient = sum_up(gradient.add_(own))
        self.quantizer.add_gradient(gradient)

    def _of_payments(self, steps: int) -> Tensor:
        """The gradient of z̄ by code [v, D] that shrinkage had in so many steps: that of z̄ itself,
        less what the table's moments remember of that of z."""
        found = self.table.weight.new_zeros(len(self._starts) - 1, self.table.weight.shape[1])
        for each in self._paid:
            remembered = (1 - _FIRST_MEMORY) * _FIRST_MEMORY ** (self.steps - each.step) * steps
            share = remembered * self.quantizer.settings.alpha
            found.index_add_(0, each.codes, each.of_average.sub_(each.of_own, alpha=share))
        self._paid.clear()
        return found

    def shrinkage(self, ids: Tensor, part: Part) -> Tensor:
        """Once in K / 4 steps K / 4 times the shrinkage of the distinct entities among a batch's
        ids [...]: of those that are a process's part, or of a sharded table in it. Else 0. Each
        step asks once."""
        settings, self.steps = self.quantizer.settings, self.steps + 1
        times = max(1, settings.update_interval // _PAYMENTS)
        if (self.steps - 1) % times:
            return self.table.weight.new_zeros(())
        distinct = distinct_entities(ids)
        weight = times * settings.shrinkage / max(1, len(distinct))
        if self.table.shards is None:
            rows = part.rows(distinct)
        else:
            rows = distinct - self._first
            rows = rows[(rows >= 0) & (rows < len(self.table.weight))]
        codes = self.quantizer.fixed[rows + (self._first - NUM_SPECIAL)]
        loss: Tensor = _Shrinkage.apply(self.table.weight, self, rows, codes, weight)  # type: ignore[no-untyped-call]
        return loss

    def owe(self, payment: "_Payment") -> None:
        """Hear of a gradient that `pay` is to add."""
        self._owed.append(payment)

    @torch.no_grad()
    def pay(self) -> None:
        """Add the gradient of shrinkage to that of the table, behind a backward pass: autograd
        would pass over the whole table for the few rows."""
        for each in self._owed:
            gradient = self.table.weight.grad
            if gradient is None:
                gradient = self.table.weight.grad = torch.zeros_like(self.table.weight)
            gradient.index_add_(0, each.rows, each.of_own)
        self._paid += self._owed
        self._owed.clear()


class _Payment(NamedTuple):
    """The gradient of shrinkage of n entities in a step, D dimensions."""

    step: int
    rows: Tensor  # [n], of the table in this process
    codes: Tensor  # [n], on level 1
    of_own: Tensor  # [n, D], of z
    of_average: Tensor  # [n, D], of z̄


class _Shrinkage(torch.autograd.Function):
    """Σ w/2 (‖z‖² + ‖z̄‖²), with z = z_c − α z̄; its gradient is owed."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, folded: FoldedCodes, rows: Tensor, codes: Tensor, weight: float
    ) -> Tensor:
        average = F.embedding(codes, folded.quantizer.fine_averages())
        own = F.embedding(rows, table).sub_(average, alpha=folded.quantizer.settings.alpha)
        ctx.folded, ctx.weight, ctx.kept = folded, weight, (rows, codes, own, average)
        squares = [torch.dot(each.view(-1), each.view(-1)) for each in (own, average)]
        return (squares[0] + squares[1]) * (weight / 2)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[None, ...]:
        (rows, codes, own, average), slope = ctx.kept, ctx.weight * upstream[0]
        payment = _Payment(ctx.folded.steps, rows, codes, own.mul_(slope), average.mul_(slope))
        ctx.folded.owe(payment)
        return None, None, None, None, None
