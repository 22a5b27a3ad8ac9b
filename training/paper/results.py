"""Everything that is said about what a table's runs reached."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import cove
from cove.recommenders import LISTS
from training.datasets import ClickData, ListData
from training.datasets.stats import click_stats, interaction_stats, list_stats
from training.evaluation.comparison import Comparison, compare
from training.paper.baseline_runs import GRIDS
from training.paper.jobs import Outcome, Workplace
from training.paper.reading import RowResult
from training.paper.rows import GROUPS
from training.paper.table import Table
from training.tasks.list_completion import ListCompletion, prepare

_NDCG = "ndcg_at_10"
NEW_LISTS = f"{_NDCG}_of_new_lists"
"""The same without the test lists that are a training list over again."""


def table_report(
    workplace: Workplace,
    results: Sequence[RowResult],
    seeds: Sequence[int],
    failed: Sequence[Outcome],
    command: str,
) -> dict[str, Any]:
    """Everything about a table as JSON values; Markdown and plot are made from this alone."""
    table = workplace.table
    return {
        "table": table.name,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": machine_facts(workplace.device),
        "dataset": _data_facts(workplace, results, seeds),
        "seeds": list(seeds),
        "settings_for_all": dict(workplace.overrides),
        "baseline_grids": {
            row.row.name: GRIDS[row.row.name] for row in results if row.row.name in GRIDS
        },
        "groups": GROUPS,
        "rows": [_row_facts(result) for result in results],
        "comparisons": _comparisons(results, table),
        "failed": failures(failed),
    }


def failures(failed: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What is not there, and why."""
    return [
        {"row": outcome.key[0], "seed": outcome.key[1], "reason": outcome.reason}
        for outcome in failed
    ]


def machine_facts(device: str) -> dict[str, Any]:
    """What the figures were made on."""
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
    workplace: Workplace, results: Sequence[RowResult], seeds: Sequence[int]
) -> dict[str, Any]:
    data = workplace.load()
    if isinstance(data, ListData):
        tasks = {seed: prepare(data, seed) for seed in seeds}
        counts = dict(list_stats(data))
        splits = {str(seed): _list_split(task, results, seed) for seed, task in tasks.items()}
    else:
        on_clicks = isinstance(data, ClickData)
        counts = dict(click_stats(data) if on_clicks else interaction_stats(data))
        names = _CLICK_COUNTS if on_clicks else _PREFERENCE_COUNTS
        splits = {str(seed): _counted_split(results, seed, names) for seed in seeds}
    return {
        "name": data.name,
        "sha256": data.sha256,
        "filter": workplace.rule.model_dump(mode="json"),
        "counts": counts,
        "splits": {seed: split for seed, split in splits.items() if split},
    }


def _list_split(task: ListCompletion, results: Sequence[RowResult], seed: int) -> dict[str, int]:
    """What a seed's split holds; adds to its results the metric over new lists alone."""
    new = new_lists(task)
    for result in results:
        found = result.seeds.get(seed)
        if found is not None and _NDCG in found.by_unit and new.any():
            found.facts["test"][NEW_LISTS] = float(found.by_unit[_NDCG][new].mean())
    return {
        "training lists": len(task.train),
        "validation lists": len(task.valid),
        "test lists": len(task.test),
        "test lists that are copies of training lists": int((~new).sum()),
        "items known in training": len(task.vocabulary),
    }


_CLICK_COUNTS = {
    "train_samples": "training samples",
    "valid_samples": "validation samples",
    "test_samples": "test samples",
    "test_samples_unknown": "test samples with a user or item that training does not know",
}
_PREFERENCE_COUNTS = {
    "train_interactions": "training interactions",
    "test_users": "test users",
    "test_users_unknown": "test users whose item training does not know",
}


def _counted_split(
    results: Sequence[RowResult], seed: int, names: dict[str, str]
) -> dict[str, int]:
    """What a seed's split holds, as the manifest of any of its runs has it."""
    found = [result.seeds[seed].facts for result in results if seed in result.seeds]
    known = [facts["counts"] for facts in found if "counts" in facts]
    return {text: known[0][name] for name, text in names.items()} if known else {}


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
        "user_code_sizes": None if row.user_code_sizes is None else list(row.user_code_sizes),
        "base": row.base,
        "note": row.note,
        "mean": {name: statistics.mean(each) for name, each in values.items()},
        "sd": {
            name: statistics.stdev(each) if len(each) > 1 else None for name, each in values.items()
        },
        "seeds": found,
    }


def _comparisons(results: Sequence[RowResult], table: Table) -> list[dict[str, Any]]:
    """Each row against its base; what the table asks; the best COVE row against each baseline."""
    by_name = {result.row.name: result for result in results}
    pairs = [
        ("base", result, by_name[result.row.base])
        for result in results
        if result.row.base in by_name
    ]
    pairs += [
        (question, by_name[one], by_name[other])
        for question, asked in table.questions.items()
        for one, other in asked
        if one in by_name and other in by_name
    ]
    best = best_cove_row(results, table.selected[0])
    if best is not None:
        pairs += [("baseline", best, other) for other in results if other.row.group == "baselines"]
    found = [
        (kind, ours, theirs, metric, _compare(ours, theirs, metric, table.task != LISTS))
        for metric in table.compared
        for kind, ours, theirs in pairs
    ]
    return [
        {"kind": kind, "row": ours.row.name, "against": theirs.row.name, "metric": metric}
        | asdict(comparison)
        for kind, ours, theirs, metric, comparison in found
        if comparison is not None
    ]


def best_cove_row(results: Sequence[RowResult], metric: str) -> RowResult | None:
    """The COVE row with the highest mean of a metric in validation, controls left out."""
    most = max((len(result.seeds) for result in results), default=0)
    rows = [r for r in results if r.row.group.startswith("cove") and len(r.seeds) == most]
    if not rows:
        return None
    return max(
        rows, key=lambda r: statistics.mean(s.facts["valid"][metric] for s in r.seeds.values())
    )


def _compare(
    ours: RowResult, theirs: RowResult, metric: str, same_units: bool
) -> Comparison | None:
    """Compare two rows over the seeds in which both have the metric; None where there is none."""
    sides = (ours.seeds, theirs.seeds)
    pairs = [
        tuple(side[seed].by_unit.get(metric, np.empty(0)) for side in sides)
        for seed in sorted(ours.seeds)
        if seed in theirs.seeds
    ]
    pairs = [pair for pair in pairs if not np.isnan(pair[0] + pair[1]).all()]
    if not pairs:
        return None
    first, second = zip(*pairs, strict=True)
    return compare(first, second, same_units=same_units)
