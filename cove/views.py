"""What is computed once when an artifact is written, so that people can see what was learned.

Of each entity a map, `map.safetensors`, and where it has codes and its true categories are known
how far they agree, `quality.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from cove.entity_tables import EntityTables, as_json
from cove.item_index import faiss_is_here
from cove.projection import principal_plane
from cove.quality import CodeQuality, code_quality, is_quick

OWN = "this model's embeddings (z_c)"


@dataclass(frozen=True)
class EntityViews:
    """What an artifact keeps; None in those written before it did."""

    points: Tensor | None = None  # [N, 2] float32, between -1 and 1
    quality: CodeQuality | None = None
    """None also where there are no codes, or no categories."""


def quality_of(tables: EntityTables, seed: int, with_kmeans: bool) -> CodeQuality | None:
    """How good an entity's codes are, beside random ones and, where faiss is installed,
    `with_kmeans` of its embeddings; None where it has no codes or no categories."""
    vectors = (OWN, tables.embeddings.float()) if with_kmeans and faiss_is_here() else None
    return code_quality(tables.codes, tables.code_sizes, tables.categories, seed, vectors)


def view_files(entity: str, tables: EntityTables, seed: int) -> dict[str, bytes]:
    """The files of an entity's views, by name."""
    quality = quality_of(tables, seed, is_quick(len(tables.codes), tables.code_sizes))
    files = {_name(entity, "map.safetensors"): save({"points": principal_plane(tables.embeddings)})}
    if quality is not None:
        files[_name(entity, "quality.json")] = as_json(quality.model_dump())
    return files


def read_views(entity: str, files: Mapping[str, Path]) -> EntityViews:
    """An entity's views out of an artifact's files by name.

    Raises:
        KeyError, ValueError, SafetensorError: the files are malformed.
    """
    points, quality = (files.get(_name(entity, n)) for n in ("map.safetensors", "quality.json"))
    return EntityViews(
        None if points is None else load_file(points)["points"],
        None if quality is None else CodeQuality.model_validate_json(quality.read_bytes()),
    )


def _name(entity: str, file: str) -> str:
    return file if entity == "item" else f"{entity}_{file}"
