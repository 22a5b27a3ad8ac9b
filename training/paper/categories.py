"""`cove reproduce figure5`: trains what is missing, then compares codes with true categories."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from torch import Tensor

from cove.artifact import read_artifact
from cove.errors import CoveError, DataError
from cove.quality import code_quality
from training.paper.categories_page import markdown
from training.paper.categories_plot import draw
from training.paper.category_rows import BASE
from training.paper.jobs import Job, Outcome, Workplace
from training.paper.making import Made, run_all, write_pages
from training.paper.reading import read_results
from training.paper.results import failures, machine_facts
from training.paper.rows import Row
from training.registry.queries import Registry


def make_figure(
    rows: Sequence[Row], seeds: Sequence[int], workplace: Workplace, num_workers: int, command: str
) -> Made:
    """Run every row with every seed that is not there yet, and write Markdown, JSON and plot.

    Raises:
        CoveError: the data cannot be loaded or have no categories, or there is no result at all.
    """
    data = workplace.load()
    if not any((data.categories or {}).values()):
        raise DataError(f"the data {workplace.data_name} have no categories to compare with")
    jobs, failed = run_all(rows, seeds, workplace, num_workers)
    missing = {outcome.key for outcome in failed}
    done = [job for job in jobs if job.key not in missing]
    with Registry(workplace.registry) as registry:
        trained = read_results(done, registry)
    report = {
        "figure": workplace.table_name,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": machine_facts(workplace.device),
        "dataset": {"name": data.name, "sha256": data.sha256,
                    "filter": workplace.rule.model_dump(mode="json")},
        "seeds": list(seeds),
        "settings_for_all": dict(workplace.overrides),
        "rows": _results(done),
        "trained": [
            {"title": row.row.title, "seeds": [found.facts for found in row.seeds.values()]}
            for row in trained
        ],
        "failed": failures(failed),
    }  # fmt: skip
    if not report["rows"]:
        raise CoveError(_nothing(failed))
    return write_pages(workplace, report, failed, draw, markdown)


def _nothing(failed: Sequence[Outcome]) -> str:
    if not failed:
        return "figure5 needs a row with codes: the base alone has none"
    return f"no row has a result; {failed[0].key[0]}: {failed[0].reason}"


def _results(done: Sequence[Job]) -> list[dict[str, Any]]:
    """Each run with codes: what it is, and how good its codes are."""
    bases = {job.seed: _embeddings(job) for job in done if job.row.name == BASE}
    return [
        _result(job, bases.get(job.seed))
        for job in sorted(done, key=lambda job: (job.row.title, job.seed))
        if job.row.name != BASE
    ]


def _embeddings(base: Job) -> tuple[str, Tensor]:
    artifact = read_artifact(base.output)
    name = f"the embeddings of {artifact.manifest.id}, which has no codes"
    return name, artifact.items.embeddings.float()


def _result(job: Job, embeddings: tuple[str, Tensor] | None) -> dict[str, Any]:
    artifact = read_artifact(job.output)
    items = artifact.items
    found = code_quality(items.codes, items.code_sizes, items.categories, job.seed, embeddings)
    assert found is not None
    return {
        "name": job.row.name, "title": job.row.title, "seed": job.seed,
        "model_id": artifact.manifest.id, "quality": found.model_dump(),
    }  # fmt: skip
