"""A faiss index over a catalogue, for where scoring every item of it takes too long.

It proposes candidates, which are then scored exactly: what is given has its true score, and only
what is not proposed can be missed. How often that happens is measured when the index is made, on
states of the recommender itself. An inverted file of product-quantized vectors: items lie in lists
about centroids, as one byte for each four dimensions; a search reads the lists that are nearest.

Scores are <state, z> + b, products of (state, 1) and (z, b): faiss is given the latter.

D dimensions, N items, M states, C candidates, V = NUM_SPECIAL + N.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD

K = 10
"""Of what the recall is measured."""
_DIMENSIONS_A_BYTE = 4
_CANDIDATES_AN_ITEM = 20
_FEWEST_CANDIDATES = 200
_TRAINED_ON = 64
"""Vectors for each list that its centroid is found from."""
_FEWEST_PROBES = 8
_ROWS_AT_ONCE = 1 << 16


class IndexFacts(BaseModel):
    """What a manifest says of an index."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """As faiss' index factory calls it."""
    probes: int
    """Lists that a search reads."""
    recall_at_10: float
    """Share of the exact ten best that are given, a mean over `queries`."""
    queries: int
    """States that it was measured on."""


class ItemIndex:
    """Proposes the items whose scores are likely the highest."""

    def __init__(self, found: Any, facts: IndexFacts) -> None:
        self._found, self.facts = found, facts

    def candidates_for(self, k: int) -> int:
        """How many candidates the k best are chosen from."""
        return max(_FEWEST_CANDIDATES, _CANDIDATES_AN_ITEM * k)

    def propose(self, states: Tensor, count: int) -> Tensor:
        """Indices of `count` items for each of states [M, D], [M, count] int64, PAD where the lists
        that are read hold fewer."""
        import faiss  # noqa: PLC0415 - an extra

        faiss.omp_set_num_threads(torch.get_num_threads())
        asked = _queries(states, self._found.d)
        options: Any = faiss.SearchParametersIVF()
        options.nprobe = self.facts.probes
        _, rows = self._found.search(asked, count, params=options)
        found = torch.from_numpy(rows)
        return (found + NUM_SPECIAL).masked_fill_(found < 0, PAD)

    def write(self, path: Path) -> None:
        """Write it to a file.

        Raises:
            OSError: it cannot be written.
        """
        import faiss  # noqa: PLC0415

        try:
            faiss.write_index(self._found, str(path))
        except RuntimeError as error:
            raise OSError(str(error).splitlines()[0]) from None


def faiss_is_here() -> bool:
    """Whether faiss is installed, by the extra `cpu` or `gpu`."""
    try:
        import faiss  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def read_index(path: Path, facts: IndexFacts) -> ItemIndex:
    """An index out of its file, whose lists are mapped into memory.

    Raises:
        ValueError: the file holds none.
    """
    import faiss  # noqa: PLC0415

    try:
        return ItemIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP), facts)
    except RuntimeError as error:
        raise ValueError(f"{path} holds no index: {str(error).splitlines()[0]}") from None


def build_index(
    table: Tensor, bias: Tensor, states: Tensor, wanted_recall: float = 0.99, seed: int = 0
) -> ItemIndex | None:
    """The index that reads the fewest lists for a recall of the exact ten best.

    table: [V, D]; bias: [N]; states: [Q, D], of the kind that will be asked. None where so many
    lists would have to be read that the index would not pay.
    """
    num_items, width = len(bias), _width(table.shape[1])
    lists = 2 ** round(math.log2(max(1, num_items)) / 2)
    bytes_each = width // _DIMENSIONS_A_BYTE
    kind = f"IVF{lists},PQ{bytes_each}"
    found = _trained(table, bias, lists, bytes_each, seed)
    for rows in torch.split(torch.arange(num_items), _ROWS_AT_ONCE):
        found.add(_vectors(table, bias, rows, width))
    _probe_by_product(found)
    exact = exact_top(states, table, bias)
    probes = min(_FEWEST_PROBES, lists)
    while True:
        facts = IndexFacts(kind=kind, probes=probes, recall_at_10=0.0, queries=len(states))
        index = ItemIndex(found, facts)
        recall = measured_recall(index, states, exact, table, bias)
        if recall >= wanted_recall:
            return ItemIndex(found, facts.model_copy(update={"recall_at_10": round(recall, 4)}))
        if 4 * probes >= lists:
            return None
        probes *= 2


def _trained(table: Tensor, bias: Tensor, lists: int, bytes_each: int, seed: int) -> Any:
    """An empty index whose lists gather items that are near to one another.

    Were they gathered by products, as faiss does by default, then by direction alone: items of a
    high b would lie in lists that no search reads.
    """
    import faiss  # noqa: PLC0415

    faiss.omp_set_num_threads(torch.get_num_threads())
    width = bytes_each * _DIMENSIONS_A_BYTE
    near = faiss.IndexFlatL2(width)
    found = faiss.IndexIVFPQ(near, width, lists, bytes_each, 8, faiss.METRIC_INNER_PRODUCT)
    for settings in (found.cp, found.pq.cp):
        settings.seed, settings.spherical, settings.min_points_per_centroid = seed, False, 1
    chance = torch.Generator().manual_seed(seed)
    sample = torch.randperm(len(bias), generator=chance)[: _TRAINED_ON * max(lists, 256)]
    found.train(_vectors(table, bias, sample, width))
    return found


def _probe_by_product(found: Any) -> None:
    """Have searches read the lists whose centroids have the highest products."""
    import faiss  # noqa: PLC0415

    by_product = faiss.IndexFlatIP(found.d)
    by_product.add(found.quantizer.reconstruct_n(0, found.nlist))
    found.quantizer = by_product


def exact_top(states: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """The rows of the ten best items for states [Q, D], [Q, at most K], without a score matrix."""
    best = states.new_full((len(states), 0), -torch.inf)
    rows = torch.zeros((len(states), 0), dtype=torch.int64)
    for part in torch.split(torch.arange(len(bias)), _ROWS_AT_ONCE):
        first, last = int(part[0]), int(part[-1]) + 1
        scores = torch.addmm(
            bias[first:last], states, table[NUM_SPECIAL + first : NUM_SPECIAL + last].T
        )
        best = torch.cat([best, scores], dim=1)
        rows = torch.cat([rows, part.expand(len(states), -1)], dim=1)
        best, places = best.topk(min(K, best.shape[1]), dim=1)
        rows = rows.gather(1, places)
    return rows


def measured_recall(
    index: ItemIndex, states: Tensor, exact: Tensor, table: Tensor, bias: Tensor
) -> float:
    """Share of the rows `exact` [Q, K] that are the best of the proposed, a mean over states."""
    proposed = index.propose(states, min(index.candidates_for(K), len(bias)))  # [Q, C]
    scores = torch.einsum("qd,qcd->qc", states, F.embedding(proposed, table))
    scores += bias[(proposed - NUM_SPECIAL).clamp(min=0)]
    scores.masked_fill_(proposed < NUM_SPECIAL, -torch.inf)
    best = proposed.gather(1, scores.topk(exact.shape[1], dim=1).indices) - NUM_SPECIAL
    return float((best[:, :, None] == exact[:, None, :]).any(dim=2).float().mean())


def _width(dimensions: int) -> int:
    """D + 1, up to a whole number of bytes of the quantizer."""
    return _DIMENSIONS_A_BYTE * math.ceil((dimensions + 1) / _DIMENSIONS_A_BYTE)


def _queries(states: Tensor, width: int) -> NDArray[np.float32]:
    """(state, 1), zeros behind."""
    asked = F.pad(states.float(), (0, width - states.shape[1]))
    asked[:, states.shape[1]] = 1.0
    return asked.numpy()


def _vectors(table: Tensor, bias: Tensor, rows: Tensor, width: int) -> NDArray[np.float32]:
    """(z, b) of rows [n], zeros behind."""
    found = table.new_zeros((len(rows), width), dtype=torch.float32)
    found[:, : table.shape[1]] = table[NUM_SPECIAL + rows]
    found[:, table.shape[1]] = bias[rows]
    return found.numpy()
