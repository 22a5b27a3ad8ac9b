"""Artifacts that are a manifest alone: all that the registry reads of one."""

from pathlib import Path

from cove.artifact import Manifest, manifest_hash

TASK = "list_completion"


def make_manifest(seed: int, ndcg: float = 0.25, run_id: str | None = None) -> Manifest:
    """A manifest with its hash and id; another seed gives another id."""
    manifest = Manifest(
        task=TASK, recommender="fans", settings={}, quantizers={}, training={}, num_items=3,
        counts={}, data_name="toy", data_sha256="0", seed=seed, epochs=1,
        metrics={"test": {"ndcg_at_10": ndcg}}, code_use={}, code_version="0", run_id=run_id,
        created_at=f"2026-01-01T00:00:{seed:02d}+00:00",
    )  # fmt: skip
    digest = manifest_hash(manifest)
    return manifest.model_copy(update={"hash": digest, "id": f"fans-{digest[:12]}"})


def write_manifest(directory: Path, seed: int) -> str:
    """Write one as a directory that the registry takes for an artifact; give its id."""
    manifest = make_manifest(seed)
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text(manifest.model_dump_json())
    return manifest.id
