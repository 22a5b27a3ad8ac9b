"""Rows compared on the same test data, with intervals."""

from collections.abc import Sequence
from typing import Any

from training.paper.markdown import markdown_table
from training.paper.table import Table

_COMPARISON_NOTE = (
    "On the same test data: mean difference over the seeds, its 95 % interval by a paired "
    "bootstrap over the {units}, and p (two-sided) by flipping signs. Both take the seeds as they "
    "are: what varies between trainings and splits is not in the interval, the last column shows "
    "it. {units_note} No p is corrected for the number of comparisons. The best COVE row is the "
    "one with the highest mean {selected} in validation."
)


def comparisons(report: dict[str, Any], table: Table) -> str:
    """What is compared with what, metric by metric; empty where nothing is."""
    titles = {row["name"]: row["title"] for row in report["rows"]}
    groups = {row["name"]: row["group"] for row in report["rows"]}
    found = report["comparisons"]
    against_base = [c for c in found if c["kind"] == "base"]
    parts = {
        "COVE against its base": [c for c in against_base if groups[c["row"]] != "controls"],
        "Controls against the base without COVE": [
            c for c in against_base if groups[c["row"]] == "controls"
        ],
        **{question: [c for c in found if c["kind"] == question] for question in table.questions},
        "The best COVE row against the baselines": [c for c in found if c["kind"] == "baseline"],
    }
    note = _COMPARISON_NOTE.format(
        units=table.units, units_note=table.units_note, selected=table.selected[1]
    )
    lines = ["## Comparisons", "", note]
    for title, chosen in parts.items():
        for metric, text in table.compared.items():
            rows = [
                [
                    f"{titles[c['row']]} − {titles[c['against']]}",
                    f"{c['difference']:+.4f}",
                    f"{c['low']:+.4f} to {c['high']:+.4f}",
                    f"{c['p_value']:.4f}",
                    ", ".join(f"{value:+.4f}" for value in c["by_seed"]),
                ]
                for c in chosen
                if c["metric"] == metric
            ]
            if rows:
                head = ["", "difference", "95 % interval", "p", "by seed"]
                lines += ["", f"### {title}: {text}", "", markdown_table(head, rows)]
                if title in table.questions:
                    lines += ["", _in_short(chosen, metric)]
    return "\n".join(lines) if len(lines) > 3 else ""


def _in_short(found: Sequence[dict[str, Any]], metric: str) -> str:
    """How many of the comparisons tell anything, and what they come to together."""
    chosen = [c for c in found if c["metric"] == metric]
    above, below = sum(c["low"] > 0 for c in chosen), sum(c["high"] < 0 for c in chosen)
    mean = sum(c["difference"] for c in chosen) / len(chosen)
    return (
        f"In short: of {len(chosen)}, {above} lie above 0 and {below} below with their whole "
        f"interval; their mean is {mean:+.4f}."
    )
