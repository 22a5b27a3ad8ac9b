"""How far codes agree with the true categories of items, where the data have some.

N items, v codes, K categories. An item of several categories counts in each by an equal share.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def contingency(codes: Tensor, categories: Sequence[Sequence[str]]) -> Tensor:
    """The items of each code in each category, [v, K] float64; items without any are left out.

    codes: [N] int64.
    """
    names = sorted({name for held in categories for name in held})
    place = {name: column for column, name in enumerate(names)}
    pairs = [
        (row, place[name], 1 / len(held)) for row, held in enumerate(categories) for name in held
    ]
    table = torch.zeros(int(codes.max()) + 1 if len(codes) else 0, len(names), dtype=torch.float64)
    if not pairs:
        return table
    rows, columns, shares = (torch.tensor(part) for part in zip(*pairs, strict=True))
    return table.index_put_((codes[rows], columns), shares.double(), accumulate=True)


def normalized_mutual_information(table: Tensor) -> float:
    """I(code; category) over the mean of both entropies, 0 to 1, of a contingency table [v, K].

    0 where either has a single value. It grows with the number of codes even if they are random,
    so only equal numbers of codes may be compared.
    """
    shares = table / table.sum().clamp(min=1e-12)
    entropies = _entropy(shares.sum(dim=1)), _entropy(shares.sum(dim=0))
    mean = sum(entropies) / 2
    return (sum(entropies) - _entropy(shares.flatten())) / mean if min(entropies) > 0 else 0.0


def purity(table: Tensor) -> float:
    """The share of the items that are in the largest category of their code, 0 to 1."""
    return float(table.amax(dim=1).sum() / table.sum().clamp(min=1e-12)) if table.numel() else 0.0


def _entropy(shares: Tensor) -> float:
    held = shares[shares > 0]
    return float(-(held * held.log()).sum())
