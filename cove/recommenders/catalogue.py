"""The head that scores a whole catalogue, and its cross-entropy without a whole score matrix.

D dimensions, N items, M predicted positions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cove.vocabulary import NUM_SPECIAL

_SCORES_AT_ONCE = 1 << 19
"""Scores of a block of positions on a CPU: two megabytes, so that they stay in its cache."""


class CatalogueHead(nn.Module):
    """States to scores of all items, the weights tied to the item embeddings."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_items))

    @torch.no_grad()
    def start_from_popularity(self, counts: Tensor) -> None:
        """Set the biases to the items' log shares, so that training starts from popularity.

        counts: [N], occurrences in training; an item without one counts as one.
        """
        shares = counts.clamp(min=1).to(self.bias) / counts.sum().clamp(min=1)
        self.bias.copy_(shares.log())

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Scores [M, N] of states [M, D], given the table [NUM_SPECIAL + N, D]."""
        return torch.addmm(self.bias, states, table[NUM_SPECIAL:].t())

    def loss(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of states [M, D] against the items `targets` [M]; 0 where M is 0."""
        wanted = targets - NUM_SPECIAL
        if states.device.type == "cpu":
            total: Tensor = _BlockwiseCrossEntropy.apply(  # type: ignore[no-untyped-call]
                states, table[NUM_SPECIAL:], self.bias, wanted
            )
        else:
            total = F.cross_entropy(self(states, table), wanted, reduction="sum")
        return total / max(1, len(wanted))


class _BlockwiseCrossEntropy(torch.autograd.Function):
    """The sum of cross-entropies, a block of positions at a time.

    The gradient of a position's scores is softmax − one-hot, which the forward pass all but has:
    it is turned into the gradients of states, table and bias at once, so that scores are computed
    and exponentiated once, are never stored, and never leave the cache.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, bias: Tensor, wanted: Tensor) -> Tensor:
        wants_gradients = any(ctx.needs_input_grad)
        gradients = [torch.zeros_like(part) for part in (states, table, bias)]
        total = states.new_zeros(())
        block = max(1, _SCORES_AT_ONCE // max(1, len(table)))
        buffer = states.new_empty((min(block, len(states)), len(table)))
        for start in range(0, len(states), block):
            part, rows = states[start : start + block], wanted[start : start + block, None]
            scores = buffer[: len(part)]
            torch.addmm(bias, part, table.t(), out=scores)
            torch.log_softmax(scores, dim=1, out=scores)
            total -= scores.gather(1, rows).sum()
            if wants_gradients:
                scores.exp_().scatter_add_(1, rows, scores.new_full(rows.shape, -1.0))
                torch.mm(scores, table, out=gradients[0][start : start + block])
                gradients[1].addmm_(scores.t(), part)
                gradients[2].add_(scores.sum(dim=0))
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * upstream[0] for gradient in ctx.saved_tensors), None)
