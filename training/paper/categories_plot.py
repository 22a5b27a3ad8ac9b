"""Figure 5 as a picture: which share of a category its first i codes cover."""

from io import BytesIO
from pathlib import Path
from typing import Any

from training.paper.baseline_runs import replace_file

_LINES = {
    "learned": ("#c0392b", "-"),
    "k-means": ("#1f5fa8", "--"),
    "random": ("#6b6b6b", ":"),
}
"""Colour and dashes: colour is not needed to tell them apart."""
_SHOWN = 4
"""Categories with a line of their own, as in the paper."""


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a panel for each row and level of the first seed, side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    first = [row for row in report["rows"] if row["seed"] == report["rows"][0]["seed"]]
    panels = [(row["title"], level) for row in first for level in row["quality"]["levels"]]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.6 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, level) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, place + 1)
        _panel(axes, level)
        axes.set_title(f"{title}: level {level['level']}, {level['size']} codes", fontsize="small")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"Figure 5 on {report['dataset']['name']}, seed {first[0]['seed']}")
    content = BytesIO()
    figure.savefig(content, dpi=110, format="png")
    replace_file(path, content.getvalue())


def _panel(axes: Any, level: dict[str, Any]) -> None:
    for codes in level["sets"]:
        colour, dashes = _LINES[codes["codes"]]
        axes.plot(level["positions"], codes["coverage"], dashes, color=colour, linewidth=2,
                  label=codes["codes"])  # fmt: skip
    learned = next(each for each in level["sets"] if each["codes"] == "learned")
    for number, values in enumerate(list(learned["coverage_of"].values())[:_SHOWN]):
        axes.plot(level["positions"], values, color=_LINES["learned"][0], linewidth=0.7, alpha=0.5,
                  label=None if number else "learned, the largest categories")  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.set_xlabel("codes, those with most of a category first", fontsize="small")
    axes.set_ylabel("share of a category covered", fontsize="small")
