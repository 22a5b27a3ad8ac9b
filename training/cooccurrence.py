"""Codes from who occurs with whom in the training data: what ids alone say before any training.

n occurrences of N items with M owners (lists or users).
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import svds
from torch import Tensor

from cove.quantization import FixedCodes
from cove.recommenders import Recommender
from cove.vocabulary import NUM_SPECIAL
from training.tasks import PreparedTask

DIMENSIONS = 128
"""Singular vectors that codes are found in; `toys` and `aotm` have 10,000 entities."""


def give_cooccurrence_codes(recommender: Recommender, task: PreparedTask, seed: int) -> None:
    """Fix the codes of each entity whose quantizer asks for it."""
    wanting = _with_such_codes(recommender)
    if not wanting:
        return
    owners, items = (part.cpu() for part in task.owners_and_items())
    vocabularies = task.vocabularies()
    num_owners = len(vocabularies["user"]) if "user" in vocabularies else int(owners.max()) + 1
    found = spectral_embeddings(owners, items, (num_owners, len(vocabularies["item"])), seed)
    for name, quantizer in wanting.items():
        quantizer.take_from(found[1 if name == "item" else 0], seed)


def regroup_codes(recommender: Recommender, seed: int) -> None:
    """Make the coarser levels of such codes anew from what was learned (`FixedCodes.regroup`)."""
    for name, quantizer in _with_such_codes(recommender).items():
        embeddings = recommender.entities()[name].all()[NUM_SPECIAL:]
        quantizer.regroup(embeddings.detach(), seed)


def _with_such_codes(recommender: Recommender) -> dict[str, FixedCodes]:
    return {
        name: entity.quantizer
        for name, entity in recommender.entities().items()
        if isinstance(entity.quantizer, FixedCodes)
        and entity.quantizer.settings.assignment == "cooccurrence"
    }


def spectral_embeddings(
    owners: Tensor, items: Tensor, sizes: tuple[int, int], seed: int, dimensions: int = DIMENSIONS
) -> tuple[Tensor, Tensor]:
    """Embeddings of owners [M, D] and of items [N, D], rows of length 1 (0 for who never occurs).

    Left and right singular vectors of the normalised matrix A_mi = 1 / √(|items of m| |owners of
    i|), times the singular values: two items are near where the same owners have them (the graph
    that LightGCN spreads embeddings over, cut to its smoothest parts).

    owners, items: [n] int64, from 0, a repeat counts once; sizes: M and N.
    """
    cells = torch.unique(torch.stack([owners, items]), dim=1)
    held = csr_matrix((np.ones(cells.shape[1]), (cells[0].numpy(), cells[1].numpy())), sizes)
    by_owner, by_item = (np.maximum(np.ravel(held.sum(axis=axis)), 1.0) ** -0.5 for axis in (1, 0))
    normal = diags(by_owner) @ held @ diags(by_item)
    dimensions = min(dimensions, min(sizes) - 1)
    if dimensions < 1:
        return torch.zeros(sizes[0], 1), torch.zeros(sizes[1], 1)
    start = np.random.default_rng(seed).standard_normal(min(sizes))
    left, values, right = svds(normal, k=dimensions, v0=start)
    parts = (left * values, right.T * values)
    of_owners, of_items = (
        F.normalize(torch.from_numpy(np.ascontiguousarray(part)).float(), dim=1) for part in parts
    )
    return of_owners, of_items
