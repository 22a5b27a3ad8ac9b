"""A dense layer that may be packed: laid out as oneDNN multiplies by it fastest."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from cove.packed_product import PackedProduct

_FEWEST_ROWS = 128
"""Below it the call of oneDNN takes longer than what it saves. An AMD EPYC with AVX-512, a product
with [192, 64]: 1,900 rows 430 microseconds by MKL and 193 packed, 64 rows 17 each, one row 2 and
11."""
_ROWS_STEP = 256
"""See `PackedProduct`; a hundred rows more cost little beside the thousands of a batch."""


class Dense(nn.Linear):
    """x W^T + b, of rows x."""

    packed: PackedProduct | None = None
    """None while the weights may change."""

    def pack(self) -> None:
        """Multiply many rows by a copy of the weights, which do not change from now on."""
        self.packed = PackedProduct.of(self.weight, self.bias, _ROWS_STEP)

    def train(self, mode: bool = True) -> Self:
        """Also forgets the copy."""
        self.packed = None
        return super().train(mode)

    def forward(self, rows: Tensor) -> Tensor:
        """Products [..., O] of rows [..., I]."""
        if self.packed is None or rows.numel() < _FEWEST_ROWS * self.in_features:
            return F.linear(rows, self.weight, self.bias)
        return self.packed(rows.reshape(-1, self.in_features)).view(*rows.shape[:-1], -1)
