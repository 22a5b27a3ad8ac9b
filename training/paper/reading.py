"""What a table's runs and baselines reached, read back from disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cove.artifact import read_artifact
from training.evaluation.comparison import Values
from training.paper.baseline_runs import read_baseline
from training.paper.jobs import Job
from training.paper.rows import Row
from training.registry.queries import Registry


@dataclass(frozen=True)
class SeedResult:
    """One row with one seed."""

    facts: dict[str, Any]
    """Metrics and where they come from, as JSON has them."""
    by_unit: dict[str, Values]
    """Each test metric by list or user, [n]."""


@dataclass(frozen=True)
class RowResult:
    """One row, with the seeds that it has results of."""

    row: Row
    seeds: dict[int, SeedResult]


def read_results(jobs: Sequence[Job], registry: Registry) -> list[RowResult]:
    """What there is of each row, in the order of the jobs' rows; rows without results left out."""
    rows: dict[str, RowResult] = {}
    for job in jobs:
        found = _read_baseline(job) if job.is_baseline else _read_run(job, registry)
        rows.setdefault(job.row.name, RowResult(job.row, {})).seeds[job.seed] = found
    return list(rows.values())


def _read_run(job: Job, registry: Registry) -> SeedResult:
    artifact = read_artifact(job.output)
    manifest = artifact.manifest
    facts = {
        "seed": job.seed,
        "run_id": manifest.run_id,
        "settings_hash": manifest.training["fingerprint"],
        "seconds": _seconds(registry, manifest.run_id),
        "model_id": manifest.id,
        "model_hash": manifest.hash,
        "place": _place(job),
        "epochs": manifest.epochs,
        "test": manifest.metrics["test"],
        "valid": manifest.metrics["valid"],
        "code_use": {
            entity: [use.model_dump() for use in levels]
            for entity, levels in manifest.code_use.items()
        },
        "counts": manifest.counts,
    }
    return SeedResult(facts, _arrays(artifact.evaluation))


def _read_baseline(job: Job) -> SeedResult:
    folder = job.workplace.folder(job.row.name)
    found = read_baseline(folder, job.seed, job.baseline_key())
    assert found is not None
    result, by_unit = found
    facts = {
        "seed": job.seed,
        "key": result.key,
        "place": f"{_place(job)}.json",
        "chosen": result.chosen,
        "tried": result.tried,
        "test": result.test,
        "valid": result.valid,
    }
    return SeedResult(facts, _arrays(by_unit))


def _seconds(registry: Registry, run_id: str | None) -> float | None:
    """How long a run took, breaks included; None where the registry does not know."""
    run = None if run_id is None else registry.get_run(run_id)
    if run is None or run.finished_at is None:
        return None
    return round((run.finished_at - run.started_at).total_seconds(), 1)


def _place(job: Job) -> str:
    return job.output.relative_to(job.workplace.output).as_posix()


def _arrays(by_unit: dict[str, Tensor]) -> dict[str, Values]:
    return {name: values.double().numpy() for name, values in by_unit.items()}
