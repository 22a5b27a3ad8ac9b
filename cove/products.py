"""Scores that are products, <state, z> + b, and the best items by them: of all, or of those that an
index proposes.

D dimensions, N items, M states, C candidates.
"""

import threading
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.item_index import ItemIndex
from cove.packed_product import PackedProduct
from cove.retrieval import BLOCK, Barred, highest, made_up_to, top_items
from cove.vocabulary import NUM_SPECIAL, PAD

_CANDIDATES_AT_MOST = 1 << 15
"""Above it scoring the whole catalogue is no slower than looking up each candidate's embedding."""
_PACKED_AT_MOST = 1 << 24
"""Values of a table that is copied into oneDNN's layout: 64 megabytes, which every process of a
server has for itself. A larger table is multiplied where the artifact's file is mapped."""
_STATES_AT_ONCE = tuple(range(4, 17))
"""Each state costs 18 microseconds (36,000 items), fewer than 4 as much as 4: where there was code
for 4, 8, 12 and 16 alone, SASRec took 10.6 ms for 13 lists, and takes 9.9. More than 16 at once are
no faster, and blocks of their scores are large."""


@dataclass(frozen=True)
class PackedTable:
    """A catalogue in the layout that is multiplied by fastest."""

    score: PackedProduct
    """Gives scores [M, V] of states [M, D]; V = NUM_SPECIAL + N, made up to whole blocks of
    retrieval; −inf where there is no item."""

    @classmethod
    @torch.no_grad()
    def of(cls, table: Tensor, bias: Tensor) -> Self | None:
        """A table [NUM_SPECIAL + N, D] and biases [N] whose values no longer change; None where
        they had better be used as they are."""
        if table.numel() > _PACKED_AT_MOST:
            return None
        behind = -len(table) % BLOCK
        whole = F.pad(table, (0, 0, 0, behind))
        biases = F.pad(bias, (NUM_SPECIAL, behind), value=-torch.inf)
        score = PackedProduct.of(whole, biases, _STATES_AT_ONCE)
        return None if score is None else cls(score)

    def best(self, states: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        """The k best items of states [M, D], as `best_products` gives them; PAD where they run
        out. Without gradients."""
        parts = [
            self._best(states[part], k, barred.of(part)) for part in self.score.parts(len(states))
        ]
        indices, values = zip(*parts, strict=True)
        return torch.cat(indices), torch.cat(values)

    def _best(self, states: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        scores = self.score.of_part(states)
        if barred.mask is not None:
            scores[:, : barred.mask.shape[1]].masked_fill_(barred.mask, -torch.inf)
        scores.scatter_(1, barred.indices, -torch.inf)
        values, indices = highest(scores, k)
        return made_up_to(k, indices.masked_fill(values == -torch.inf, PAD), values)


class Products(NamedTuple):
    """What scores are products of."""

    states: Tensor  # [M, D]
    table: Tensor  # [NUM_SPECIAL + N, D]
    bias: Tensor  # [N]
    packed: PackedTable | None = None
    """The table and biases once more, for scores of all items."""

    def all(self, out: Tensor | None = None) -> Tensor:
        """Every score, [M, N]; without gradients into `out`, where that is given."""
        return torch.addmm(self.bias, self.states, self.table[NUM_SPECIAL:].t(), out=out)

    def of(self, candidates: Tensor) -> Tensor:
        """The scores of `candidates` [M, C], indices of items."""
        embedded = F.embedding(candidates, self.table)
        products = torch.einsum("md,mcd->mc", self.states, embedded)
        return products + self.bias[(candidates - NUM_SPECIAL).clamp(min=0)]

    def rows(self, rows: Tensor) -> "Products":
        """The same for some of the states."""
        return self._replace(states=self.states[rows])


def best_products(
    products: Products, index: ItemIndex | None, k: int, barred: Barred
) -> tuple[Tensor, Tensor]:
    """The k best items of each state but for what is barred from it: indices and scores [M, k], as
    `top_items` gives them.

    With an index the best of those that it proposes; of an allowed few, all are scored.
    """
    if index is None:
        return _exact(products, k, barred)
    if barred.mask is not None:
        allowed = barred.allowed(_CANDIDATES_AT_MOST)
        if allowed is None:
            return _exact(products, k, barred)
        return _best_of(allowed.expand(len(products.states), -1), products, k, barred)
    wanted = index.candidates_for(k) + barred.indices.shape[1]
    if wanted > min(_CANDIDATES_AT_MOST, len(products.bias)):
        return _exact(products, k, barred)
    candidates = index.propose(products.states, wanted)
    indices, values = _best_of(candidates, products, k, barred)
    short = (~(values[:, -1] > -torch.inf)).nonzero().flatten()  # and what is no number
    if len(short):
        indices[short], values[short] = _exact(products.rows(short), k, barred.of(short))
    return indices, values


class _Scratch(threading.local):
    """Memory for scores that a thread uses again and again.

    Where scores were allocated for each call, their pages were mapped and cleared each time (640
    states and 36,000 items: 141 microseconds a state for 97), and blocks as large as they, of
    another size for every batch, broke a server's memory up until it had grown by a quarter.
    """

    def __init__(self) -> None:
        self._values = torch.empty(0)

    def scores(self, products: Products) -> Tensor:
        """Every score, [M, N], as `Products.all`, until the thread asks again; no gradients."""
        states, table, bias, _ = products
        if states.device.type != "cpu" or not states.dtype == table.dtype == self._values.dtype:
            return products.all()
        size = len(states) * len(bias)
        if self._values.numel() < size:
            with torch.inference_mode(False):  # what inference mode allocates, it alone may change
                self._values = torch.empty(size)
        return products.all(self._values[:size].view(len(states), len(bias)))


_SCRATCH = _Scratch()


@torch.no_grad()
def _exact(products: Products, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
    if products.packed is not None:
        return products.packed.best(products.states, k, barred)
    return top_items(barred.bar(_SCRATCH.scores(products)), k)


def _best_of(
    candidates: Tensor, products: Products, k: int, barred: Barred
) -> tuple[Tensor, Tensor]:
    """The k best of `candidates` [M, C], indices of items, PAD where there are fewer."""
    scores = products.of(candidates).masked_fill_(barred.bars(candidates), -torch.inf)
    values, places = scores.topk(min(k, scores.shape[1]), dim=1)
    return made_up_to(k, candidates.gather(1, places), values)
