"""Products with weights that no longer change, in the layout that oneDNN multiplies by.

torch multiplies float32 matrices by MKL, which has no AVX-512 for processors that are not Intel's.
On an AMD EPYC with it, 36,000 items of D = 64, a state costs so 54 microseconds, and 20 packed (64
states; of one alone 160 and 130); the products are the same to the last bit.

M rows, I numbers in each, O numbers out.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class PackedProduct:
    """x W^T + b, of rows x, without gradients.

    rows_step: rows are made up to a multiple of it. oneDNN makes code for each number of rows and
    keeps it, between blocks of products whose places the next, larger ones then do not fit: with
    any number a server of SASRec grew by 230 MiB in ten minutes.
    """

    weights: Tensor  # [O, I], opaque
    bias: Tensor  # [O]
    rows_step: int

    @classmethod
    @torch.no_grad()
    def of(cls, weights: Tensor, bias: Tensor, rows_step: int) -> Self | None:
        """By a copy of W [O, I] and b [O]; None where there is no such layout."""
        here = weights.device.type == "cpu" and weights.dtype == torch.float32
        if not here or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            return None
        return cls(torch.ops.mkldnn._reorder_linear_weight(weights), bias, rows_step)

    def __call__(self, rows: Tensor) -> Tensor:
        """Products [M, O] of rows [M, I]."""
        product = torch.ops.mkldnn._linear_pointwise.default
        made_up = F.pad(rows, (0, 0, 0, -len(rows) % self.rows_step))
        products: Tensor = product(made_up, self.weights, self.bias, "none", [], "")
        return products[: len(rows)]
