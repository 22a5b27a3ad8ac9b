"""A dense layer that may be packed: laid out as oneDNN multiplies by it fastest."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from cove.packed_product import Activation, PackedProduct

_FEWEST_ROWS = 128
"""Below it the call of oneDNN takes longer than what it saves. An AMD EPYC with AVX-512, a product
with [192, 64]: 1,900 rows 430 microseconds by MKL and 193 packed, 64 rows 17 each, one row 2 and
11."""
_ROWS_AT_ONCE = (256,)
"""A hundred rows more cost little beside the thousands of a batch."""


class Dense(nn.Linear):
    """x W^T + b, of rows x, or the exact GELU of that."""

    packed: PackedProduct | None = None
    """None while the weights may change."""

    def __init__(self, num_inputs: int, num_outputs: int, activation: Activation = "none") -> None:
        super().__init__(num_inputs, num_outputs)
        self.activation = activation

    def pack(self) -> None:
        """Multiply many rows by a copy of the weights, which do not change from now on."""
        self.packed = PackedProduct.of(self.weight, self.bias, _ROWS_AT_ONCE, self.activation)

    def train(self, mode: bool = True) -> Self:
        """Also forgets the copy."""
        self.packed = None
        return super().train(mode)

    def forward(self, rows: Tensor) -> Tensor:
        """Of rows [..., I], [..., O]."""
        if self.packed is None:
            products = F.linear(rows, self.weight, self.bias)
            return F.gelu(products) if self.activation == "gelu" else products
        flat = rows.reshape(-1, self.in_features)
        if len(flat) >= _FEWEST_ROWS:
            products = self.packed(flat)
        else:
            products = F.linear(flat, self.weight, self.bias)
            products = gelu_of_few(products) if self.activation == "gelu" else products
        return products.view(*rows.shape[:-1], self.out_features)


def gelu_of_few(rows: Tensor) -> Tensor:
    """The exact GELU of rows [M, O], without gradients, and not by oneDNN.

    torch takes oneDNN's for what is contiguous, which these columns are not. oneDNN makes code for
    each shape and keeps it, and for few rows it is slower (8 rows of 256: 6 microseconds for 2).
    """
    return F.gelu(rows.t()).t()
