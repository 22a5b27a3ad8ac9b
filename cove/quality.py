"""How good codes are where the true categories are known: measures and Figure 5, level by level,
of the learned codes, of k-means codes and of random codes.

N entities, D dimensions, H levels, v codes of a level, K categories.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from cove.agreement import (
    Contingency,
    Memberships,
    adjusted_rand_index,
    contingency,
    covered,
    memberships,
    normalized_mutual_information,
    purity,
)
from cove.clustering import kmeans
from cove.quantization import nearest_codes

CATEGORIES_SHOWN = 8
"""Of each level, how many categories have a curve of their own: the largest."""
_POINTS = 48
_TOO_LONG = 10**8
"""Entities times codes from which k-means takes minutes: then it is not done unasked."""
Kind = Literal["learned", "k-means", "random"]


class CodeSet(BaseModel):
    """Codes of one level, and how far they agree with the categories."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codes: Kind
    """`random`: the learned codes dealt out anew, so that their sizes are the same; `k-means`: as
    many clusters of embeddings."""
    purity: float
    normalized_mutual_information: float
    adjusted_rand_index: float
    covered_by_a_tenth: float
    """The share of a category that the tenth of the codes with most of it covers: a mean over all
    categories, weighted by their sizes."""
    coverage: list[float]
    """The same for each number of codes in `positions` of the level."""
    coverage_of: dict[str, list[float]]
    """The same of the largest categories by themselves, each entity counted whole."""


class LevelQuality(BaseModel):
    """The codes of one level beside others of the same number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: int
    size: int
    positions: list[int]
    """Numbers of codes, rising from 1 to `size`, that the coverages are for."""
    sets: list[CodeSet]


class CodeQuality(BaseModel):
    """How good an entity's codes are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entities: int
    """Those that have a category."""
    categories: dict[str, int]
    """The largest categories and their entities, those of several counted in each."""
    num_categories: int
    kmeans_of: str | None
    """What the k-means codes are clusters of; None where they were not made."""
    levels: list[LevelQuality]


def code_quality(
    codes: Tensor,
    sizes: Sequence[int],
    categories: Sequence[Sequence[str]] | None,
    seed: int,
    embeddings: tuple[str, Tensor] | None = None,
) -> CodeQuality | None:
    """Measure the codes of every level; None where there are no codes or no categories.

    codes: [N, H]; sizes: codes of each level; embeddings: what the k-means codes are clusters of,
    in words, and [N, D]; without it there are none.

    Raises:
        SettingsError: there are embeddings, but no faiss.
    """
    found = memberships(categories or [])
    if not len(sizes) or not found.names:
        return None
    largest = found.sizes.argsort(descending=True, stable=True)[:CATEGORIES_SHOWN].tolist()
    vectors = None if embeddings is None else embeddings[1]
    return CodeQuality(
        entities=len(torch.unique(found.rows)),
        categories={found.names[each]: int(found.sizes[each]) for each in largest},
        num_categories=len(found.names),
        kmeans_of=None if embeddings is None else embeddings[0],
        levels=[
            LevelQuality(
                level=column + 1,
                size=size,
                positions=_positions(size),
                sets=[
                    _measured(kind, contingency(each, size, found), found, largest)
                    for kind, each in _to_compare(codes[:, column], size, vectors, seed)
                ],
            )
            for column, size in enumerate(sizes)
        ],
    )


def is_quick(entities: int, sizes: Sequence[int]) -> bool:
    """Whether k-means codes of these sizes are made within about half a minute."""
    return entities * max(sizes, default=0) <= _TOO_LONG


def _to_compare(
    codes: Tensor, size: int, embeddings: Tensor | None, seed: int
) -> Iterator[tuple[Kind, Tensor]]:
    yield "learned", codes
    if embeddings is not None:
        yield "k-means", nearest_codes(embeddings, kmeans(embeddings, size, seed))
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(seed))
    yield "random", codes[order]


def _measured(
    kind: Kind, table: Contingency, found: Memberships, largest: Sequence[int]
) -> CodeSet:
    size = len(table.sizes)
    places = torch.tensor(_positions(size)) - 1
    whole = covered(table)

    def at_places(shares: Tensor) -> list[float]:
        return [round(share, 5) for share in shares[places].tolist()]

    return CodeSet(
        codes=kind,
        purity=purity(table),
        normalized_mutual_information=normalized_mutual_information(table),
        adjusted_rand_index=adjusted_rand_index(table),
        covered_by_a_tenth=float(whole[-(-size // 10) - 1]),
        coverage=at_places(whole),
        coverage_of={found.names[each]: at_places(covered(table, each)) for each in largest},
    )


def _positions(size: int) -> list[int]:
    """At most 48 whole numbers from 1 to `size`, in equal steps of their logarithm."""
    steps = torch.linspace(0, 1, _POINTS, dtype=torch.float64)
    numbers: list[int] = torch.unique((float(size) ** steps).round().long()).tolist()
    return numbers
