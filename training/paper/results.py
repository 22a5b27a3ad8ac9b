"""What a table's runs reached, read back from disk, with everything that is said about them."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cove
from cove.artifact import read_artifact
from training.datasets.stats import list_stats
from training.evaluation.comparison import Comparison, Values, compare
from training.paper.baseline_runs import GRIDS, read_baseline
from training.paper.jobs import Job, Outcome, Workplace
from training.paper.rows import GROUPS, Row
from training.tasks.list_completion import SELECTION_METRIC, ListCompletion, prepare

COMPARED = SELECTION_METRIC
"""The metric of the comparisons: the standard NDCG@10."""
NEW_LISTS = f"{COMPARED}_of_new_lists"
"""The same without the test lists that are a training list over again."""


@dataclass(frozen=True)
class SeedResult:
    """One row with one seed."""

    facts: dict[str, Any]
    """Metrics and where they come from, as JSON has them."""
    by_list: dict[str, Values]
    """Each test metric by list, [n]."""


@dataclass(frozen=True)
class RowResult:
    """One row, with the seeds that it has results of."""

    row: Row
    seeds: dict[int, SeedResult]


def read_results(jobs: Sequence[Job]) -> list[RowResult]:
    """What there is of each row, in the order of the jobs' rows; rows without results left out."""
    rows: dict[str, RowResult] = {}
    for job in jobs:
        found = _read_baseline(job) if job.is_baseline else _read_run(job)
        rows.setdefault(job.row.name, RowResult(job.row, {})).seeds[job.seed] = found
    return list(rows.values())


def _read_run(job: Job) -> SeedResult:
    artifact = read_artifact(job.output)
    manifest = artifact.manifest
    facts = {
        "seed": job.seed,
        "run_id": manifest.run_id,
        "model_id": manifest.id,
        "model_hash": manifest.hash,
        "place": _place(job),
        "epochs": manifest.epochs,
        "test": manifest.metrics["test"],
        "valid": manifest.metrics["valid"],
        "code_use": [use.model_dump() for use in manifest.code_use.get("item", [])],
    }
    return SeedResult(facts, _arrays(artifact.evaluation))


def _read_baseline(job: Job) -> SeedResult:
    folder = job.workplace.folder(job.row.name)
    found = read_baseline(folder, job.seed, job.baseline_key())
    assert found is not None
    result, by_list = found
    facts = {
        "seed": job.seed,
        "key": result.key,
        "place": f"{_place(job)}.json",
        "chosen": result.chosen,
        "tried": result.tried,
        "test": result.test,
        "valid": result.valid,
    }
    return SeedResult(facts, _arrays(by_list))


def _place(job: Job) -> str:
    return job.output.relative_to(job.workplace.output).as_posix()


def _arrays(by_list: dict[str, Tensor]) -> dict[str, Values]:
    return {name: values.double().numpy() for name, values in by_list.items()}


def table_report(
    workplace: Workplace,
    results: Sequence[RowResult],
    seeds: Sequence[int],
    failed: Sequence[Outcome],
    command: str,
) -> dict[str, Any]:
    """Everything about a table as JSON values; Markdown and plot are made from this alone."""
    tasks = {seed: prepare(workplace.load(), seed) for seed in seeds}
    new = {seed: new_lists(task) for seed, task in tasks.items()}
    for result in results:
        for seed, found in result.seeds.items():
            if COMPARED in found.by_list and new[seed].any():
                found.facts["test"][NEW_LISTS] = float(found.by_list[COMPARED][new[seed]].mean())
    return {
        "table": "table2",
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": _machine(workplace.device),
        "dataset": _data_facts(workplace, tasks, new),
        "seeds": list(seeds),
        "settings_for_all": dict(workplace.overrides),
        "baseline_grids": GRIDS,
        "groups": GROUPS,
        "rows": [_row_facts(result) for result in results],
        "comparisons": _comparisons(results),
        "failed": [
            {"row": outcome.key[0], "seed": outcome.key[1], "reason": outcome.reason}
            for outcome in failed
        ],
    }


def _machine(device: str) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available() and device != "cpu"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cove": cove.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def new_lists(task: ListCompletion) -> NDArray[np.bool_]:
    """Mark the test lists that are not, item for item, a training list: [n]."""
    known = {tuple(one) for one in task.train.lists()}
    return np.array([tuple(one) not in known for one in task.test.lists()])


def _data_facts(
    workplace: Workplace, tasks: dict[int, ListCompletion], new: dict[int, NDArray[np.bool_]]
) -> dict[str, Any]:
    data = workplace.load()
    splits = {
        str(seed): {
            "train": len(task.train),
            "valid": len(task.valid),
            "test": len(task.test),
            "test_copies": int((~new[seed]).sum()),
            "items": len(task.vocabulary),
        }
        for seed, task in tasks.items()
    }
    return {
        "name": data.name,
        "sha256": data.sha256,
        "filter": workplace.rule.model_dump(mode="json"),
        "counts": dict(list_stats(data)),
        "splits": splits,
    }


def _row_facts(result: RowResult) -> dict[str, Any]:
    row = result.row
    found = [result.seeds[seed].facts for seed in sorted(result.seeds)]
    names = list(dict.fromkeys(name for facts in found for name in facts["test"]))
    values = {name: [f["test"][name] for f in found if name in f["test"]] for name in names}
    return {
        "name": row.name,
        "title": row.title,
        "group": row.group,
        "recommender": row.recommender,
        "settings": dict(row.settings),
        "code_sizes": None if row.code_sizes is None else list(row.code_sizes),
        "base": row.base,
        "note": row.note,
        "mean": {name: statistics.mean(each) for name, each in values.items()},
        "sd": {
            name: statistics.stdev(each) if len(each) > 1 else None for name, each in values.items()
        },
        "seeds": found,
    }


def _comparisons(results: Sequence[RowResult]) -> list[dict[str, Any]]:
    """Each row against its base; the best COVE row, by validation, against each baseline."""
    by_name = {result.row.name: result for result in results}
    pairs = [
        ("base", result, by_name[result.row.base])
        for result in results
        if result.row.base in by_name
    ]
    best = best_cove_row(results)
    if best is not None:
        pairs += [("baseline", best, other) for other in results if other.row.group == "baselines"]
    found = [(kind, ours, theirs, _compare(ours, theirs)) for kind, ours, theirs in pairs]
    return [
        {"kind": kind, "row": ours.row.name, "against": theirs.row.name, "metric": COMPARED}
        | asdict(comparison)
        for kind, ours, theirs, comparison in found
        if comparison is not None
    ]


def best_cove_row(results: Sequence[RowResult]) -> RowResult | None:
    """The COVE row with the highest mean NDCG@10 on the validation lists, controls left out."""
    most = max((len(result.seeds) for result in results), default=0)
    rows = [r for r in results if r.row.group in {"cove", "cove-paper"} and len(r.seeds) == most]
    if not rows:
        return None
    return max(
        rows,
        key=lambda r: statistics.mean(s.facts["valid"][COMPARED] for s in r.seeds.values()),
    )


def _compare(ours: RowResult, theirs: RowResult) -> Comparison | None:
    """Compare two rows over the seeds that both have; None where they have none in common."""
    seeds = [seed for seed in sorted(ours.seeds) if seed in theirs.seeds]
    pair = [
        [np.asarray(result.seeds[seed].by_list.get(COMPARED, np.empty(0))) for seed in seeds]
        for result in (ours, theirs)
    ]
    if not seeds or any(len(values) == 0 for side in pair for values in side):
        return None
    return compare(pair[0], pair[1])
