"""`cove reproduce`: runs what is missing, then writes the table."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cove.errors import CoveError
from training.paper.baseline_runs import replace_file
from training.paper.jobs import Job, Outcome, Workplace, is_done, perform
from training.paper.plot import draw
from training.paper.progress import board_for
from training.paper.reading import read_results
from training.paper.report import markdown
from training.paper.results import table_report
from training.paper.rows import Row
from training.paper.schedule import Schedule
from training.paper.workers import run_jobs
from training.registry.claims import Claims
from training.registry.database import upgrade
from training.registry.queries import Registry


@dataclass(frozen=True)
class Made:
    """What was written, and what is missing from it."""

    markdown: Path
    report: dict[str, Any]
    failed: list[Outcome]


def make_table(
    rows: Sequence[Row], seeds: Sequence[int], workplace: Workplace, num_workers: int, command: str
) -> Made:
    """Run every row with every seed that is not there yet, and write Markdown, JSON and plot.

    Raises:
        CoveError: the data cannot be loaded, or there is no result at all.
    """
    workplace.load()
    _, failed = run_all(rows, seeds, workplace, num_workers)
    missing = {outcome.key for outcome in failed}
    in_order = [Job(row, seed, workplace) for row in rows for seed in seeds]
    with Registry(workplace.registry) as registry:
        results = read_results([job for job in in_order if job.key not in missing], registry)
    if not results:
        raise CoveError(f"no row has a result; {failed[0].key[0]}: {failed[0].reason}")
    report = table_report(workplace, results, seeds, failed, command)
    return write_pages(workplace, report, failed, draw, markdown)


def run_all(
    rows: Sequence[Row], seeds: Sequence[int], workplace: Workplace, num_workers: int
) -> tuple[list[Job], list[Outcome]]:
    """All jobs, seed by seed, of which those that were missing are done; what failed."""
    workplace.output.mkdir(parents=True, exist_ok=True)
    upgrade(workplace.registry)
    jobs = [Job(row, seed, workplace) for seed in seeds for row in rows]
    return jobs, _run_missing(jobs, num_workers)


def write_pages(
    workplace: Workplace,
    report: dict[str, Any],
    failed: list[Outcome],
    draw: Callable[[dict[str, Any], Path], None],
    markdown: Callable[[dict[str, Any]], str],
) -> Made:
    """Write a report as JSON, and as the picture and the page that are made from it."""
    path = workplace.output / f"{workplace.table_name}-{workplace.data_name}.md"
    content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    replace_file(path.with_suffix(".json"), content.encode())
    draw(report, path.with_suffix(".png"))
    replace_file(path, markdown(report).encode())
    return Made(path, report, failed)


def _run_missing(jobs: Sequence[Job], num_workers: int) -> list[Outcome]:
    """Do what is missing; the outcomes of what failed."""
    done = [job for job in jobs if is_done(job)]
    keys = {job.key for job in done}
    missing = [job for job in jobs if job.key not in keys]
    with board_for(missing, len(done), num_workers) as board:
        for job in done:  # trains nothing, but a registry that does not know it yet learns of it
            outcome = perform(job, _Silent())
            if outcome.reason is not None:
                board.failed.append(outcome)
        if missing:
            with Claims(missing[0].workplace.registry) as claims:
                schedule = Schedule(missing, list(keys), claims)
                run_jobs(schedule, board, min(num_workers, len(missing)))
        return board.failed


class _Silent:
    def epoch(self, epoch: int, num_epochs: int) -> None:
        """Nothing is trained."""

    def warn(self, message: str) -> None:
        """Nothing is trained."""
