"""`cove codes`: whether learned codes agree with true categories."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from cove.artifact import Artifact, read_artifact
from cove.errors import DataError
from cove.quality import CodeQuality, code_quality
from cove.views import OWN

MEASURES = (
    "purity",
    "normalized_mutual_information",
    "adjusted_rand_index",
    "covered_by_a_tenth",
)


def quality(directory: Path, against: Path | None, seed: int) -> CodeQuality:
    """How far each level's codes of items agree with their categories, beside random codes and
    k-means of the embeddings of a model `against`, or else of the model's own.

    Raises:
        DataError: there are no codes or no categories, or the two models know other items.
    """
    artifact = read_artifact(directory)
    items, name = artifact.items, artifact.manifest.id
    if not items.codes.shape[1]:
        raise DataError(f"{name} has no codes: train it with --cove")
    embeddings = (OWN, items.embeddings.float())
    if against is not None:
        embeddings = _of_same_items(artifact, read_artifact(against))
    found = code_quality(items.codes, items.code_sizes, items.categories, seed, embeddings)
    if found is None:
        raise DataError(f"the data of {name} have no categories to compare with")
    return found


def rows(found: CodeQuality) -> Iterator[tuple[str, ...]]:
    """A row for each level and kind of codes: number, kind and `MEASURES`."""
    for level in found.levels:
        for codes in level.sets:
            measures = (f"{getattr(codes, name):.4f}" for name in MEASURES)
            yield str(level.level), str(level.size), codes.codes, *measures


def _of_same_items(artifact: Artifact, other: Artifact) -> tuple[str, Tensor]:
    if list(artifact.items.vocabulary.ids) != list(other.items.vocabulary.ids):
        raise DataError(
            f"{artifact.manifest.id} and {other.manifest.id} know other items: compare models of "
            "the same data, filter and seed"
        )
    return f"the embeddings of {other.manifest.id}", other.items.embeddings.float()
