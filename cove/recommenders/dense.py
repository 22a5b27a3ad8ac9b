"""A dense layer that may be packed: laid out as oneDNN multiplies by it fastest."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cove.products import multiplies_packed

_FEWEST_ROWS = 128
"""Below it the call of oneDNN takes longer than what it saves. An AMD EPYC with AVX-512, a product
with [192, 64]: 1,900 rows 430 microseconds by MKL and 193 packed, 64 rows 17 each, one row 2 and
11."""
_ROWS_STEP = 256
"""Rows are made up to a multiple of it: oneDNN makes code for each number of rows, and keeps it.
With any number, here and of states, a server of SASRec grew by 230 MiB in ten minutes."""


class Dense(nn.Linear):
    """x W^T + b, of rows x."""

    packed: Tensor | None = None
    """W once more, opaque; None while it may change."""

    def pack(self) -> None:
        """Multiply many rows by a copy of the weights, which do not change from now on."""
        if multiplies_packed(self.weight):
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach())

    def train(self, mode: bool = True) -> Self:
        """Also forgets the copy."""
        self.packed = None
        return super().train(mode)

    def forward(self, rows: Tensor) -> Tensor:
        """Products [..., O] of rows [..., I]."""
        if self.packed is None or rows.numel() < _FEWEST_ROWS * self.in_features:
            return F.linear(rows, self.weight, self.bias)
        product = torch.ops.mkldnn._linear_pointwise.default
        flat = rows.reshape(-1, self.in_features)
        flat = F.pad(flat, (0, 0, 0, -len(flat) % _ROWS_STEP))
        products: Tensor = product(flat, self.packed, self.bias, "none", [], "")
        return products[: rows.numel() // self.in_features].view(*rows.shape[:-1], -1)
