"""One report of all results: Markdown with its pictures beside it, and one HTML page with them in.

Everything in it comes from the result files; equal files give equal bytes, but for the date.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cove.errors import CoveError
from training.paper.baseline_runs import replace_file
from training.paper.html import html_page
from training.paper.markdown import anchor, markdown_table
from training.paper.paper_figures import COUNTS, TABLE_1
from training.paper.plot import picture
from training.paper.report import (
    about,
    duration,
    machine_line,
    page_title,
    papers_own,
    result_sections,
)
from training.paper.result_files import ResultFile, not_in_registry, read_result_files, runs_of
from training.paper.tables import TABLES
from training.registry.queries import Registry

_TITLE = "COVE: reproduction report"
_TABLE_1_NOTE = (
    "Counts of the paper's data sets, and of ours after their filter, read from the results below. "
    "Density is interactions over all pairs; the paper's is of all samples, for clicks and for "
    "collaborative filtering."
)


@dataclass(frozen=True)
class Written:
    """The report's two pages."""

    markdown: Path
    html: Path


def write_report(folder: Path, output: Path, registry: Registry | None) -> Written:
    """Write report.md, report.html and the pictures of a folder's results.

    registry: where runs are looked up, to say which of them it knows; None to leave that out.

    Raises:
        CoveError: the results cannot be read, or the report cannot be written.
    """
    results = read_result_files(folder)
    text = report_markdown(results, registry)
    pictures = {f"{result.name}.png": _picture(result, folder) for result in results}
    page = html_page(_TITLE, text, pictures)
    written = Written(output / "report.md", output / "report.html")
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in pictures.items():
            replace_file(output / name, content)
        replace_file(written.html, page.encode())
        replace_file(written.markdown, text.encode())
    except OSError as error:
        raise CoveError(f"cannot write the report to {output}: {error.strerror}") from None
    return written


def _picture(result: ResultFile, folder: Path) -> bytes:
    if result.is_known:
        return picture(result.content)
    try:
        return (folder / f"{result.name}.png").read_bytes()
    except OSError as error:
        raise CoveError(f"the picture of {result.name} cannot be read: {error.strerror}") from None


def report_markdown(results: Sequence[ResultFile], registry: Registry | None) -> str:
    """The report's text."""
    parts = [
        f"# {_TITLE}",
        f"Written on {datetime.now(UTC):%Y-%m-%d} by `cove report`, from the files below alone.",
        _contents(results),
        _sources(results),
        *([_trace(results, registry)] if registry is not None else []),
        _table_1(results),
    ]
    before = ""
    for result in results:
        if result.is_known:
            table = TABLES[result.content["table"]]
            is_first, before = table.name != before, table.name
            parts += _known(result, [about(table), papers_own(table)] if is_first else [])
        else:
            parts.append(_demoted(_with_picture(result.page, result.name)))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _known(result: ResultFile, of_table: list[str]) -> list[str]:
    """A result's sections one level down, what belongs to its table before its figures."""
    head, *sections = result_sections(result.content)
    first = f"# {page_title(result.content)}\n\n{head}"
    return [_demoted(_with_picture(first, result.name))] + [
        _demoted(section) for section in (*of_table, *sections) if section
    ]


def _with_picture(page: str, name: str) -> str:
    if f"({name}.png)" in page:
        return page
    return f"{page.rstrip()}\n\n![{name}]({name}.png)"


def _demoted(section: str) -> str:
    """A section with every heading a level lower."""
    return re.sub(r"^#", "##", section, flags=re.MULTILINE)


def _title(result: ResultFile) -> str:
    if result.is_known:
        return page_title(result.content)
    return result.page.partition("\n")[0].lstrip("# ")


def _contents(results: Sequence[ResultFile]) -> str:
    titles = ["Where the figures come from", "Table 1", *map(_title, results)]
    return "\n".join(f"- [{title}](#{anchor(title)})" for title in titles)


def _sources(results: Sequence[ResultFile]) -> str:
    rows = []
    for result in results:
        content = result.content
        runs = list(runs_of(result))
        times = [run["seconds"] for run in runs if run.get("seconds") is not None]
        rows.append(
            [
                f"`{result.name}.json`", f"`{result.sha256[:16]}`", str(content.get("date", "")),
                machine_line(content["machine"]) if "machine" in content else "",
                ", ".join(map(str, content.get("seeds", []))), str(len(runs)),
                duration(sum(times)) if len(times) == len(runs) and runs else "",
            ]
        )  # fmt: skip
    head = ["file", "sha256", "made", "machine and versions", "seeds", "runs", "their time"]
    note = (
        "Each table below begins with the command that makes it, and ends with its runs: their ids "
        "in the registry, the hash of their settings and data, and their time."
    )
    return f"## Where the figures come from\n\n{note}\n\n{markdown_table(head, rows)}"


def _trace(results: Sequence[ResultFile], registry: Registry) -> str:
    runs = {run["run_id"] for result in results for run in runs_of(result)}
    missing = not_in_registry(results, registry)
    text = f"Of {len(runs)} runs, {len(runs) - len(missing)} are in the registry at hand, "
    text += "finished, with just these test metrics."
    return text + (f" Not so: {', '.join(f'`{run}`' for run in missing)}." if missing else "")


def _table_1(results: Sequence[ResultFile]) -> str:
    rows = [
        [name, "the paper's", *("" if value is None else f"{value:,}" for value in values)]
        for name, values in TABLE_1.items()
    ]
    ours: dict[str, list[str]] = {}
    for result in results:
        if "counts" in result.content.get("dataset", {}):
            dataset = result.content["dataset"]
            ours[dataset["name"]] = [f"`{dataset['name']}`", "here", *_counts(dataset["counts"])]
    found = markdown_table(["", "", *COUNTS], [*rows, *ours.values()])
    return f"## Table 1\n\n{_TABLE_1_NOTE}\n\n{found}"


def _counts(counts: dict[str, Any]) -> list[str]:
    numbers = [counts.get("lists", counts.get("users")), counts["items"], counts["interactions"]]
    numbers.append(counts.get("samples"))
    shown = ["" if number is None else f"{number:,}" for number in numbers]
    return [*shown, f"{100 * counts['density']:.3f}"]
