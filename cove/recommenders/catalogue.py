"""The head that scores a whole catalogue, and its cross-entropy without a whole score matrix.

D dimensions, N items, M predicted positions, T items wanted at each.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn

from cove.item_index import ItemIndex
from cove.products import PackedTable, Products, best_products
from cove.retrieval import Barred
from cove.vocabulary import NUM_SPECIAL, PAD

_SCORES_AT_ONCE = {"cpu": 1 << 19, "cuda": 1 << 26}
"""Scores of a block of positions. On a CPU two megabytes, so that they stay in its cache; on a GPU
256, so that its processors have enough to do."""
_FEWEST_AT_ONCE = 16
"""Positions of a block in any case: a product with fewer rows wastes the table."""


class CatalogueHead(nn.Module):
    """States to scores of all items, the weights tied to the item embeddings."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_items))
        self.index: ItemIndex | None = None
        """Where given, it proposes the items that `top` scores, in the place of all."""
        self.packed: PackedTable | None = None

    def pack(self, table: Tensor) -> None:
        """Score by a copy of the table [NUM_SPECIAL + N, D] in the processor's favourite layout,
        where there is one: neither the table nor the biases change from now on."""
        self.packed = PackedTable.of(table, self.bias)

    def train(self, mode: bool = True) -> Self:
        """Also forgets the copy."""
        self.packed = None
        return super().train(mode)

    @torch.no_grad()
    def start_from_popularity(self, counts: Tensor) -> None:
        """Set the biases to the items' log shares, so that training starts from popularity.

        counts: [N], occurrences in training; an item without one counts as one.
        """
        shares = counts.clamp(min=1).to(self.bias) / counts.sum().clamp(min=1)
        self.bias.copy_(shares.log())

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Scores [M, N] of states [M, D], given the table [NUM_SPECIAL + N, D]."""
        return Products(states, table, self.bias).all()

    def top(self, states: Tensor, table: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        """The k best items for states [M, D] but for what is barred from each: indices and scores
        [M, k], see `best_products`."""
        return best_products(Products(states, table, self.bias, self.packed), self.index, k, barred)

    def loss(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of states [M, D] against the items `targets`, [M], or [M, T] with PAD
        where a state has fewer; 0 where there are none.

        Memory grows with the states and the table, never with their product.
        """
        wanted = (targets[:, None] if targets.dim() == 1 else targets) - NUM_SPECIAL
        total: Tensor = _BlockwiseCrossEntropy.apply(  # type: ignore[no-untyped-call]
            states, table[NUM_SPECIAL:], self.bias, wanted
        )
        if targets.dim() == 1:
            return total / max(1, len(targets))
        return total / (targets != PAD).sum().clamp(min=1)


class _BlockwiseCrossEntropy(torch.autograd.Function):
    """The sum of cross-entropies, a block of positions at a time.

    The gradient of a position's scores is T softmax − the T one-hots, which the forward pass all
    but has: it is turned into the gradients of states, table and bias at once, so that scores are
    computed and exponentiated once, are never stored, and on a CPU never leave the cache. In
    float32 under autocast too.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, states: Tensor, table: Tensor, bias: Tensor, wanted: Tensor) -> Tensor:
        """wanted: [M, T] from 0, negative for none."""
        wants_gradients = any(ctx.needs_input_grad)
        gradients = [torch.zeros_like(part) for part in (states, table, bias)]
        total = states.new_zeros(())
        at_once = _SCORES_AT_ONCE.get(states.device.type, _SCORES_AT_ONCE["cpu"])
        block = max(_FEWEST_AT_ONCE, at_once // max(1, len(table)))
        buffer = states.new_empty((min(block, len(states)), len(table)))
        single = wanted.shape[1] == 1
        for start in range(0, len(states), block):
            part, rows = states[start : start + block], wanted[start : start + block]
            scores, known = buffer[: len(part)], (rows >= 0).to(states.dtype)
            rows = rows.clamp(min=0)
            torch.addmm(bias, part, table.t(), out=scores)
            torch.log_softmax(scores, dim=1, out=scores)
            total -= (scores.gather(1, rows) * known).sum()
            if wants_gradients:
                scores.exp_()
                if not single:
                    scores.mul_(known.sum(dim=1, keepdim=True))
                scores.scatter_add_(1, rows, -known)
                torch.mm(scores, table, out=gradients[0][start : start + block])
                gradients[1].addmm_(scores.t(), part)
                gradients[2].add_(scores.sum(dim=0))
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * upstream[0] for gradient in ctx.saved_tensors), None)
