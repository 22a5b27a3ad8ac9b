"""`cove codes`: whether learned codes agree with true categories."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from cove.artifact import Artifact, read_artifact
from cove.clustering import kmeans
from cove.errors import DataError
from cove.quantization import nearest_codes
from training.evaluation.agreement import contingency, normalized_mutual_information, purity


def agreement(directory: Path, against: Path | None, seed: int) -> list[dict[str, object]]:
    """How each level's codes of items agree with their categories, beside as many random codes
    and, of a model `against`, as many k-means clusters of its embeddings.

    Raises:
        DataError: there are no codes or no categories, or the two models know other items.
    """
    artifact = read_artifact(directory)
    items = artifact.items
    if not items.codes.shape[1]:
        raise DataError(f"{artifact.manifest.id} has no codes: train it with --cove")
    if not any(items.categories or []):
        raise DataError(f"the data of {artifact.manifest.id} have no categories to compare with")
    assert items.categories is not None
    other = None if against is None else _same_items(artifact, read_artifact(against))
    found: list[dict[str, object]] = []
    for column in range(items.codes.shape[1]):
        size = len(items.codebooks[column])
        for name, codes in _to_compare(items.codes[:, column], size, other, seed):
            table = contingency(codes, items.categories)
            found.append({
                "level": column + 1, "size": size, "codes": name,
                "nmi": normalized_mutual_information(table), "purity": purity(table),
            })  # fmt: skip
    return found


def _to_compare(
    codes: Tensor, size: int, other: Tensor | None, seed: int
) -> Iterator[tuple[str, Tensor]]:
    """Names and codes [N]: the learned, those of another model's embeddings [N, D], random ones."""
    yield "learned", codes
    if other is not None:
        yield "k-means of the other", nearest_codes(other, kmeans(other, size, seed))
    generator = torch.Generator().manual_seed(seed)
    yield "random", torch.randperm(len(codes), generator=generator) % size


def _same_items(artifact: Artifact, other: Artifact) -> Tensor:
    if artifact.items.vocabulary.ids != other.items.vocabulary.ids:
        raise DataError(
            f"{artifact.manifest.id} and {other.manifest.id} know other items: compare models of "
            "the same data, filter and seed"
        )
    return other.items.embeddings.float()
