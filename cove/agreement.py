"""How far codes agree with the true categories of their entities, where the data have some.

N entities, v codes, K categories, m memberships of entities in categories, c cells: pairs of a code
and a category that have entities in common. An entity of several categories counts in each by an
equal share, but in `covered`, where it counts whole in each; one without any is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memberships:
    """Which entity is in which categories."""

    names: list[str]  # [K], in the order of the alphabet
    rows: Tensor  # [m] int64, the entity
    categories: Tensor  # [m] int64, places in `names`
    shares: Tensor  # [m] float64, 1 / categories of the entity

    @property
    def sizes(self) -> Tensor:
        """The entities of each category, [K] int64."""
        return torch.bincount(self.categories, minlength=len(self.names))


def memberships(categories: Sequence[Sequence[str]]) -> Memberships:
    """Read the categories of each entity, [N]; a name that stands twice counts once."""
    held = [list(dict.fromkeys(each)) for each in categories]
    names = sorted({name for each in held for name in each})
    place = {name: column for column, name in enumerate(names)}
    counts = torch.tensor([len(each) for each in held], dtype=torch.int64)
    columns = [place[name] for each in held for name in each]
    return Memberships(
        names=names,
        rows=torch.repeat_interleave(counts),
        categories=torch.tensor(columns, dtype=torch.int64),
        shares=1 / torch.repeat_interleave(counts, counts).double(),
    )


@dataclass(frozen=True)
class Contingency:
    """The cells of codes and categories, those without entities left out."""

    codes: Tensor  # [c] int64
    categories: Tensor  # [c] int64
    counts: Tensor  # [c] int64, entities
    shares: Tensor  # [c] float64, the sum of their shares
    squares: Tensor  # [c] float64, the sum of their squared shares
    sizes: Tensor  # [v] int64, entities of each code that have a category
    num_categories: int


def contingency(codes: Tensor, size: int, found: Memberships) -> Contingency:
    """Count the entities of each code in each category.

    codes: [N] int64, below `size`.
    """
    num_categories = max(1, len(found.names))
    keys = codes[found.rows] * num_categories + found.categories  # [m]
    cells, place, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    empty = torch.zeros(len(cells), dtype=torch.float64)
    return Contingency(
        codes=cells // num_categories,
        categories=cells % num_categories,
        counts=counts,
        shares=empty.index_add(0, place, found.shares),
        squares=empty.index_add(0, place, found.shares**2),
        sizes=torch.bincount(codes[torch.unique(found.rows)], minlength=size),
        num_categories=num_categories,
    )


def normalized_mutual_information(table: Contingency) -> float:
    """I(code; category) over the mean of both entropies, 0 to 1.

    0 where either has a single value. It grows with the number of codes even if they are random,
    so only equal numbers of codes may be compared.
    """
    by_code, by_category = _marginals(table, table.shares)
    entropies = _entropy(by_code), _entropy(by_category)
    if min(entropies) <= 0:
        return 0.0
    return 2 * (sum(entropies) - _entropy(table.shares)) / sum(entropies)


def purity(table: Contingency) -> float:
    """The share of the entities that are in the largest category of their code, 0 to 1."""
    largest = torch.zeros(len(table.sizes), dtype=torch.float64)
    largest.scatter_reduce_(0, table.codes, table.shares, "amax")
    return float(largest.sum() / table.shares.sum().clamp(min=1e-12))


def adjusted_rand_index(table: Contingency) -> float:
    """How far pairs of entities are together in codes as in categories: 1 always, 0 by chance.

    Of an entity of several categories each pair takes one, drawn with equal chances: the counts
    are the expected ones.
    """
    by_code = (table.sizes.double() ** 2 - table.sizes).sum() / 2
    category_shares = _marginals(table, table.shares)[1]
    by_category = (category_shares**2 - _marginals(table, table.squares)[1]).sum() / 2
    both = (table.shares**2 - table.squares).sum() / 2
    entities = table.sizes.sum().double()
    chance = by_code * by_category / (entities * (entities - 1) / 2).clamp(min=1e-12)
    most = (by_code + by_category) / 2
    if float(most - chance) <= 1e-12:  # in codes and categories all are together, or none
        return 1.0
    return float((both - chance) / (most - chance))


def covered(table: Contingency, category: int | None = None) -> Tensor:
    """The share of a category's entities that its first i codes cover, the largest first: [v].

    The paper's Figure 5. Without a category the mean over all, weighted by their sizes: each takes
    the codes in an order of its own.
    """
    counts, order_in = table.counts, table.categories
    if category is not None:
        chosen = table.categories == category
        counts, order_in = counts[chosen], order_in[chosen]
    by_size = counts.argsort(descending=True, stable=True)
    by_category = by_size[order_in[by_size].argsort(stable=True)]
    cells = torch.bincount(order_in, minlength=table.num_categories)
    first = (cells.cumsum(0) - cells)[order_in[by_category]]
    rank = torch.arange(len(counts)) - first  # of a cell among those of its category
    gained = torch.bincount(rank, counts[by_category].double(), minlength=len(table.sizes))
    return gained.cumsum(0) / counts.sum().clamp(min=1)


def _marginals(table: Contingency, values: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of values [c] by code, [v], and by category, [K]."""
    return (
        torch.bincount(table.codes, values, minlength=len(table.sizes)),
        torch.bincount(table.categories, values, minlength=table.num_categories),
    )


def _entropy(weights: Tensor) -> float:
    shares = weights[weights > 0] / weights.sum()
    return float(-(shares * shares.log()).sum())
