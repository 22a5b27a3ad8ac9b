"""Products with weights that no longer change, in the layout that oneDNN multiplies by.

torch multiplies float32 matrices by MKL, which has no AVX-512 for processors that are not Intel's.
On an AMD EPYC with it, 36,000 items of D = 64, a state costs so 54 microseconds, and 20 packed (64
states; of one alone 160 and 130); the products are the same to the last bit.

M rows, I numbers in each, O numbers out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = Literal["none", "gelu"]


@dataclass(frozen=True)
class PackedProduct:
    """x W^T + b, of rows x, or the exact GELU of that, without gradients.

    sizes: numbers of rows that are multiplied at once, ascending: fewer are made up to the next,
    more go in parts. oneDNN makes code for each number and keeps it, 0.6 MiB, wherever memory is
    free at that time, and what lay there before no longer fits. With any number a server of SASRec
    grew by 230 MiB in ten minutes.
    """

    weights: Tensor  # [O, I], opaque
    bias: Tensor  # [O]
    sizes: tuple[int, ...]
    activation: Activation

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        weights: Tensor,
        bias: Tensor,
        sizes: tuple[int, ...],
        activation: Activation = "none",
    ) -> Self | None:
        """By a copy of W [O, I] and b [O]; None where there is no such layout."""
        here = weights.device.type == "cpu" and weights.dtype == torch.float32
        if not here or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            return None
        made = cls(torch.ops.mkldnn._reorder_linear_weight(weights), bias, sizes, activation)
        for size in sizes:  # now, so that nothing is made later
            made.of_part(weights.new_zeros((size, weights.shape[1])))
        return made

    def __call__(self, rows: Tensor) -> Tensor:
        """Products [M, O] of rows [M, I]."""
        products = [self.of_part(rows[part]) for part in self.parts(len(rows))]
        return products[0] if len(products) == 1 else torch.cat(products)

    def parts(self, count: int) -> Iterator[slice]:
        """So many rows in parts that are multiplied at once."""
        largest = self.sizes[-1]
        return (slice(start, start + largest) for start in range(0, max(1, count), largest))

    def of_part(self, rows: Tensor) -> Tensor:
        """Products of rows that are not more than the largest size."""
        size = next(size for size in self.sizes if size >= len(rows))
        product = torch.ops.mkldnn._linear_pointwise.default
        made_up = F.pad(rows, (0, 0, 0, size - len(rows)))
        products: Tensor = product(made_up, self.weights, self.bias, self.activation, [], "none")
        return products[: len(rows)]
