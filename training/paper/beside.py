"""Our rows beside the paper's of the same name, in the metrics that the paper has."""

from typing import Any

from training.paper.markdown import markdown_table
from training.paper.table import Table

_CALLED = {"fans_two_stage": "FANS_TSC", "fans_two_stage_leak": "FANS*"}
"""What the paper calls rows whose title is another."""
_NOTE = (
    "The paper's figures are of its own data sets. A gain is of COVE over the same recommender "
    "without it."
)


def beside_the_paper(report: dict[str, Any], table: Table) -> str:
    """Our rows that the paper has too, with its figures for each of its data sets."""
    rows = {row["name"]: row for row in report["rows"]}
    found = {
        name: column
        for name, row in rows.items()
        if (column := _column(row, rows.get(row["base"]), table)) is not None
    }
    if not found or not table.paper_metrics:
        return ""
    datasets = list(dict.fromkeys(key.split(",")[0] for key in table.paper))
    parts = ["## Beside the paper", _NOTE]
    for metric, text in table.paper_metrics.items():
        lines = [
            [
                rows[name]["title"],
                *_pair(_ours(rows, name, metric), _ours(rows, rows[name]["base"], metric)),
                *(cell for dataset in datasets for cell in _papers(table, dataset, text, column)),
            ]
            for name, column in found.items()
        ]
        head = ["", f"`{report['dataset']['name']}`", "gain"]
        head += [cell for dataset in datasets for cell in (f"{dataset}, paper", "gain")]
        parts.append(f"### {text}: {metric}\n\n{markdown_table(head, lines)}")
    return "\n\n".join(parts)


def _column(
    row: dict[str, Any], base: dict[str, Any] | None, table: Table
) -> tuple[str, str] | None:
    """Where the paper has a row: what its data sets' names end with, and the column's head."""
    if row["base"] is None:
        head = _CALLED.get(row["name"], row["title"])
        return ("", head) if head in table.paper_head else None
    if base is None or row["group"] == "controls":
        return None
    name = f"COVE on {base['title']}"
    sizes = ", ".join(map(str, row["code_sizes"] or ()))
    if sizes in table.paper_head:
        return name, sizes
    is_on_all = row["code_sizes"] is not None and (
        row["user_code_sizes"] is not None or "users" not in table.units
    )
    return ("", name) if name in table.paper_head and is_on_all else None


def _ours(rows: dict[str, Any], name: str | None, metric: str) -> float | None:
    value: float | None = rows[name]["mean"].get(metric) if name in rows else None
    return value


def _papers(table: Table, dataset: str, metric: str, column: tuple[str, str]) -> list[str]:
    """A figure of the paper, and its gain over the recommender without COVE."""
    ending, head = column
    metrics = table.paper.get(f"{dataset}, {ending}" if ending else dataset, {})
    if metric not in metrics:
        return ["", ""]
    values = dict(zip(table.paper_head, metrics[metric], strict=True))
    base = values.get(head.removeprefix("COVE on ")) if head.startswith("COVE on ") else None
    return _pair(values[head], base)


def _pair(value: float | None, base: float | None) -> list[str]:
    if value is None:
        return ["", ""]
    gain = "" if not base else f"{100 * (value / base - 1):+.1f} %"
    return [f"{value:.4f}", gain]
