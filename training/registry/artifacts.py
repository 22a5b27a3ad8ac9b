"""What the registry takes from an artifact's manifest; torch is loaded once there is one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cove.errors import ArtifactError

if TYPE_CHECKING:
    from cove.artifact import Manifest


def manifest_in(path: Path) -> Manifest | None:
    """The manifest of an artifact directory; None where there is none that can be read."""
    if not (path / "manifest.json").is_file():
        return None
    from cove.artifact import read_manifest  # noqa: PLC0415 - loads torch, not always needed

    try:
        return read_manifest(path)
    except ArtifactError:
        return None


def artifacts_in(directory: Path) -> Iterator[tuple[Path, Manifest]]:
    """Every artifact in a folder, and the folder if it is one, with its manifest."""
    for path in (directory, *sorted(directory.glob("[!.]*"))):
        manifest = manifest_in(path)
        if manifest is not None:
            yield path, manifest


def holds(place: str, model_id: str) -> bool:
    """Whether a model's artifact is still at a place."""
    found = manifest_in(Path(place))
    return found is not None and found.id == model_id


def model_row(manifest: Manifest, path: Path) -> dict[str, Any]:
    """The columns of `models` for an artifact at a path."""
    return {
        "id": manifest.id,
        "hash": manifest.hash,
        "task": manifest.task,
        "recommender": manifest.recommender,
        "data_name": manifest.data_name,
        "path": str(Path(path).resolve()),
        "run_id": manifest.run_id,
        "metrics": {split: finite(found) for split, found in manifest.metrics.items()},
        "created_at": _moment(manifest.created_at),
    }


def finite(values: dict[str, float]) -> dict[str, float]:
    """The values that are numbers: neither SQLite nor JSON has room for NaN or infinity."""
    return {name: float(value) for name, value in values.items() if isfinite(value)}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
