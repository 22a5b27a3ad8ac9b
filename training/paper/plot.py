"""A table as a picture: one metric of every row, with its spread over the seeds."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cove.recommenders import LISTS
from training.paper.baseline_runs import replace_file
from training.paper.tables import TABLES
from training.paper.weights import draw_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = {
    "baselines": "#6b6b6b",
    "plain": "#1f5fa8",
    "cove": "#c0392b",
    "cove-evolving": "#7d5ba6",
    "cove-paper": "#e08e45",
    "controls": "#4f8a4b",
}
"""By group; each also has a mark of its own, so colour is not needed to tell them apart."""
_MARKS = {
    "baselines": "s",
    "plain": "o",
    "cove": "D",
    "cove-evolving": "P",
    "cove-paper": "^",
    "controls": "v",
}


def draw(report: dict[str, Any], path: Path) -> None:
    """Write the picture of a table."""
    replace_file(path, picture(report))


def picture(report: dict[str, Any]) -> bytes:
    """A table as PNG, made from its JSON values alone: equal values give equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    table = TABLES[report["table"]]
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    (draw_weights if table.draws_weights else _draw_rows)(figure, report)
    figure.suptitle(f"{table.title} on {report['dataset']['name']}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    content = BytesIO()
    figure.savefig(content, dpi=130, format="png")
    return content.getvalue()


def _draw_rows(figure: "Figure", report: dict[str, Any]) -> None:
    """Draw dots with one standard deviation to each side, and a line at the best baseline."""
    table = TABLES[report["table"]]
    metric, label = table.plotted
    rows = [row for group in report["groups"] for row in report["rows"] if row["group"] == group]
    figure.set_size_inches(9, 1.8 + 0.3 * len(rows))
    axes = figure.add_subplot()
    labelled: set[str] = set()
    for place, row in enumerate(rows):
        group = row["group"]
        axes.errorbar(
            row["mean"][metric], place, xerr=row["sd"][metric] or 0.0,
            fmt=_MARKS[group], color=_COLORS[group], capsize=3,
            label=None if group in labelled else report["groups"][group],
        )  # fmt: skip
        dots = [seed["test"][metric] for seed in row["seeds"]]
        axes.plot(dots, [place] * len(dots), "|", color=_COLORS[group], alpha=0.5)
        labelled.add(group)
    baselines = [row for row in rows if row["group"] == "baselines"]
    if baselines:
        best = max(baselines, key=lambda row: row["mean"][metric])
        axes.axvline(
            best["mean"][metric], color=_COLORS["baselines"], linestyle="--", linewidth=1,
            label=f"{best['title']}, the best baseline",
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.invert_yaxis()
    if table.task == LISTS:
        axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    seeds = ", ".join(map(str, report["seeds"]))
    axes.set_xlabel(f"{label}, test data: mean ± sd over the seeds {seeds}")
