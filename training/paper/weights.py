"""Figure 4: what each weight of COVE gains over 0, as a table and as curves."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from training.paper.ablation_rows import WEIGHTS
from training.paper.markdown import markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRIC = "ndcg_at_10"
_PAPER_ORDER = "The paper's order is ω_q > β > α ≈ ω_c on Zhihu, ω_q ≈ β > α > ω_c on Goodreads."
_STYLES = {"evolving": ("#7d5ba6", "P-"), "paper": ("#e08e45", "^--")}
"""Colour and mark of each form."""


def curves(report: dict[str, Any]) -> Iterator[tuple[str, str, dict[float, float]]]:
    """Form, weight, and by its value the metric over that at 0, less 1; the other weights are 1."""
    rows = [row for row in report["rows"] if row["base"] is not None]
    for form in dict.fromkeys(row["settings"]["form"] for row in rows):
        for name in WEIGHTS:
            others = [other for other in WEIGHTS if other != name]
            found = {
                row["settings"][name]: row["mean"][_METRIC]
                for row in rows
                if row["settings"]["form"] == form
                and all(row["settings"][other] == 1 for other in others)
            }
            if len(found) > 1 and 0 in found:
                yield form, name, {v: found[v] / found[0] - 1 for v in sorted(found)}


def over_zero(report: dict[str, Any]) -> str:
    """The gains over 0 as a table; empty where none is there yet."""
    found = list(curves(report))
    if not found:
        return ""
    values = sorted({value for _, _, gains in found for value in gains})
    rows = [
        [form, WEIGHTS[name], f"`{name}`"]
        + [f"{100 * gains[value]:+.1f} %" if value in gains else "" for value in values]
        for form, name, gains in found
    ]
    head = ["form", "", "weight", *(f"{value:g}" for value in values)]
    note = (
        "Standard NDCG@10 on the test lists over that with the weight at 0, while the other three "
        "are 1."
    )
    parts = ["## Relative improvement over 0", note, markdown_table(head, rows), *_ranks(found)]
    return "\n\n".join(parts)


def _ranks(found: Sequence[tuple[str, str, dict[float, float]]]) -> list[str]:
    """By form, the weights in the order of what 1 gains over 0."""
    lines = []
    for form in dict.fromkeys(form for form, _, _ in found):
        gains = {WEIGHTS[name]: each[1] for kind, name, each in found if kind == form and 1 in each}
        ranked = sorted(gains.items(), key=lambda gain: -gain[1])
        text = " > ".join(f"{letter} ({100 * gain:+.1f} %)" for letter, gain in ranked)
        lines.append(f"By what 1 gains over 0, `{form}`: {text}. {_PAPER_ORDER}")
    return lines


def draw_weights(figure: "Figure", report: dict[str, Any]) -> None:
    """Draw a panel for each weight, with a curve for each form."""
    figure.set_size_inches(11, 3.4)
    panels = figure.subplots(1, len(WEIGHTS), sharey=True)
    labelled: set[str] = set()
    for axes, (name, letter) in zip(panels, WEIGHTS.items(), strict=True):
        axes.axhline(0, color="#6b6b6b", linewidth=0.8)
        axes.set_title(letter)
        axes.grid(alpha=0.3)
        for form, weight, gains in curves(report):
            if weight == name:
                color, style = _STYLES[form]
                label = None if form in labelled else f"form={form}"
                percent = [100 * gain for gain in gains.values()]
                axes.plot(list(gains), percent, style, color=color, label=label)
                labelled.add(form)
    panels[0].set_ylabel("NDCG@10 over that at 0, %")
