"""What was tried on the way to COVE's default form, one change at a time, by validation alone.

    python -m benchmarks.trials --from DIR --output RUNS --page benchmarks/results/trials.md

One seed; each line of the page is one `cove train` command. A call that is given again trains what
is missing. Differences below .002 are within what seeds differ by.
"""

import argparse
import contextlib
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cove  # first: it sets how OpenMP's threads wait

# isort: split
import torch

from training.cli import main as command
from training.paper import click_rows, list_rows, preference_rows

Settings = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One change to a series."""

    title: str
    sizes: str | None = None
    """As `--cove` takes them; None: COVE is off."""
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Series:
    """One recommender on one data set, plain and with changes."""

    title: str
    recommender: str
    data: str
    metric: str
    settings: Settings
    trials: tuple[Trial, ...]
    users: bool = True
    """Whether COVE is on users, too."""


def _one(title: str, sizes: str | None, **settings: Any) -> Trial:
    return Trial(title, sizes, tuple(settings.items()))


_COMMON = (
    _one("without COVE", None),
    _one("default form", "auto"),
    _one("all levels averaged (Eq. 3)", "auto", averaged_levels=0),
    _one("random codes", "auto", assignment="random"),
    _one("α = 0", "auto", alpha=0),
    _one("α = 0.5", "auto", alpha=0.5),
    _one("α = 2", "auto", alpha=2),
    _one("evolving codes", "auto", form="evolving"),
    _one("evolving codes, direct gradient", "auto", form="evolving", gradient="direct"),
    _one("the paper's settings", "auto", form="paper"),
)


def _sizes(*sizes: int) -> tuple[Trial, ...]:
    return tuple(_one(f"{size:,} codes", str(size)) for size in sizes)


SERIES = (
    Series(
        "FANS on aotm", "fans", "aotm", "ndcg_at_10", list_rows.SETTINGS["fans"],
        (*_COMMON, *_sizes(300, 2000, 4000), _one("shrinkage 0.01", "auto", shrinkage=0.01)),
        users=False,
    ),
    Series(
        "DeepFM on ml100k, clicks", "deepfm", "ml100k", "auc", click_rows.SETTINGS["deepfm"],
        (*_COMMON, *_sizes(50, 200)),
    ),
    Series(
        "BPRMF on toys", "bprmf", "toys", "ndcg_at_10", preference_rows.SETTINGS["bprmf"],
        (*_COMMON, *_sizes(1500, 4000), _one("shrinkage 0", "auto", shrinkage=0),
         _one("shrinkage 0.01", "auto", shrinkage=0.01)),
    ),
    Series(
        "Matrix factorization by softmax on toys", "bprmf", "toys", "ndcg_at_10",
        preference_rows.SETTINGS["bprmf_softmax"],
        (_one("without COVE", None), _one("temperature 0.1", None, temperature=0.1),
         _one("temperature 0.2", None, temperature=0.2), _one("default form", "auto"),
         _one("random codes", "auto", assignment="random"), *_sizes(1000, 4000)),
    ),
)  # fmt: skip


def arguments_of(series: Series, trial: Trial, folder: str, output: str) -> list[str]:
    """The command that makes a trial, `cove` left out."""
    settings = series.settings | dict(trial.settings)
    words = ["train", series.recommender, "--data", series.data, "--from", folder, "--seed", "0"]
    for option in ("--item-cove", *(["--user-cove"] if series.users else [])):
        words += [option, trial.sizes] if trial.sizes else []
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return [*words, "--output", output]


def run(series: Series, trial: Trial, folder: Path, output: Path) -> dict[str, float]:
    """The validation metrics of a trial, trained unless it is there."""
    name = "".join(c if c.isalnum() else "-" for c in f"{series.title} {trial.title}".lower())
    words = arguments_of(series, trial, str(folder), str(output / name))
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        status = command([*words, "--json"])
    if status:
        raise SystemExit(f"trial {trial.title!r} of {series.title!r} ended with {status}")
    metrics: dict[str, float] = json.loads(answer.getvalue())["valid"]
    return metrics


def section(series: Series, found: Sequence[tuple[Trial, dict[str, float]]]) -> list[str]:
    """A series as Markdown."""
    base = found[0][1][series.metric]
    lines = [f"## {series.title}", "", f"| | {series.metric}, validation | to plain | set |"]
    lines.append("| --- | --- | --- | --- |")
    for trial, metrics in found:
        value = metrics[series.metric]
        changed = [f"--cove {trial.sizes}"] if trial.sizes else []
        changed += [f"--set {name}={setting}" for name, setting in trial.settings]
        text = f"`{' '.join(changed)}`" if changed else ""
        lines.append(f"| {trial.title} | {value:.4f} | {value - base:+.4f} | {text} |")
    words = arguments_of(series, found[0][0], "DIR", "OUT")
    both = "`--cove` stands for `--item-cove` and `--user-cove`. " if series.users else ""
    return [*lines, "", f"{both}Before what is set:", "", "```", f"cove {' '.join(words)}", "```"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="where the runs go")
    parser.add_argument("--page", type=Path, required=True, help="the Markdown file to write")
    arguments = parser.parse_args()
    page = [
        "# What was tried",
        "",
        "```",
        "python -m benchmarks.trials --from DIR --output RUNS --page benchmarks/results/trials.md",
        "```",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, torch {torch.__version__}, "
        f"cove {cove.__version__}",
        "- one seed, by validation alone; differences below .002 are within what seeds differ by",
    ]
    for series in SERIES:
        found = []
        for trial in series.trials:
            found.append((trial, run(series, trial, arguments.folder, arguments.output)))
            print(f"{series.title}: {trial.title}: {found[-1][1][series.metric]:.4f}", flush=True)
        page += ["", *section(series, found)]
        arguments.page.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
