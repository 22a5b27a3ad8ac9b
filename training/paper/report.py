"""A table as Markdown, made from its JSON values alone: no figure stands here by hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from training.paper.beside import beside_the_paper
from training.paper.comparison_tables import comparisons
from training.paper.markdown import markdown_table
from training.paper.table import MetricTable, Table
from training.paper.tables import TABLES
from training.paper.weights import over_zero

Report = dict[str, Any]


def markdown(report: Report) -> str:
    """The whole page of one table on one data set."""
    table = TABLES[report["table"]]
    head, *rest = result_sections(report)
    sections = [f"# {page_title(report)}\n\n{head}", about(table), *rest, papers_own(table)]
    return "\n\n".join(section for section in sections if section) + "\n"


def page_title(report: Report) -> str:
    """Table and data set."""
    return f"{TABLES[report['table']].title} on `{report['dataset']['name']}`"


def result_sections(report: Report) -> list[str]:
    """What was measured on a data set; the first says how, the last names every run."""
    table = TABLES[report["table"]]
    return [
        _head(report),
        _failed(report) if report["failed"] else "",
        beside_the_paper(report, table),
        over_zero(report) if table.draws_weights else "",
        *(_metrics(report, one) for one in table.metric_tables),
        comparisons(report, table),
        _code_use(report),
        _rows(report),
        _baselines(report),
        runs_section(report["rows"], table.selected),
    ]


def _head(report: Report) -> str:
    data, counts = report["dataset"], report["dataset"]["counts"]
    rule = ", ".join(f"{name} {value}" for name, value in data["filter"].items())
    changed = ", ".join(f"{k}={v}" for k, v in report["settings_for_all"].items())
    splits = "; ".join(
        f"seed {seed}: " + ", ".join(f"{count} {name}" for name, count in split.items())
        for seed, split in data["splits"].items()
    )
    held = ", ".join(
        f"{name.replace('_', ' ')} {_number(value)}"
        for name, value in counts.items()
        if value is not None
    )
    lines = [
        "```",
        report["command"],
        "```",
        "",
        f"- {report['date']}; {machine_line(report['machine'])}",
        f"- data after the filter ({rule}): {held}; sha256 `{data['sha256'][:16]}`",
        f"- {splits}",
    ]
    if changed:
        lines.append(f"- **set for every trained row: {changed}**")
    return "\n".join(lines)


def machine_line(machine: dict[str, Any]) -> str:
    """What computed a result, and with which versions."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['device']}; torch "
        f"{machine['torch']}, Python {machine['python']}, cove {machine['cove']}"
    )


def _failed(report: Report) -> str:
    lines = ["## Not there", ""]
    lines += [f"- {f['row']}, seed {f['seed']}: {f['reason']}" for f in report["failed"]]
    return "\n".join(lines)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def about(table: Table) -> str:
    """How a table differs from the paper's."""
    return "\n".join(
        ["## How this differs from the paper", "", *(f"- {text}" for text in table.differences)]
    )


def _metrics(report: Report, metrics: MetricTable) -> str:
    rows = []
    wanted = len(report["seeds"])
    for group, text in report["groups"].items():
        found = [row for row in report["rows"] if row["group"] == group]
        if found:
            rows.append([f"*{text}*", *[""] * len(metrics.metrics)])
        for row in found:
            have = len(row["seeds"])
            some = "" if have == wanted else f" ({have} of {wanted} seeds)"
            rows.append([row["title"] + some, *(_mean(row, name) for name in metrics.metrics)])
    table = markdown_table(["", *metrics.metrics.values()], rows)
    return f"## {metrics.title}\n\n{metrics.note}\n\n{table}"


def _mean(row: dict[str, Any], name: str) -> str:
    if name not in row["mean"]:
        return "not defined"
    spread = row["sd"][name]
    return f"{row['mean'][name]:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _code_use(report: Report) -> str:
    rows = []
    for row in report["rows"]:
        by_seed = [seed.get("code_use", {}) for seed in row["seeds"]]
        for entity in sorted({entity for use in by_seed for entity in use}):
            for uses in zip(*(use.get(entity, []) for use in by_seed), strict=False):
                used = ", ".join(f"{use['used']}/{use['size']}" for use in uses)
                perplexity = ", ".join(f"{use['perplexity']:.1f}" for use in uses)
                rows.append([row["title"], entity, str(uses[0]["level"]), used, perplexity])
    if not rows:
        return ""
    table = markdown_table(["", "of", "level", "codes used, by seed", "perplexity, by seed"], rows)
    return f"## Use of the codes\n\nOver the whole catalogue; level 1 is the finest.\n\n{table}"


def _rows(report: Report) -> str:
    rows = [
        [
            row["title"],
            f"`{row['name']}`",
            row["recommender"],
            _sizes(row),
            ", ".join(f"{name}={value}" for name, value in row["settings"].items()) or "defaults",
            row["note"],
        ]
        for row in report["rows"]
        if "model_id" in row["seeds"][0]
    ]
    head = ["", "row", "recommender", "code sizes", "settings", "note"]
    return f"## What each row is\n\n{markdown_table(head, rows)}" if rows else ""


def _sizes(row: dict[str, Any]) -> str:
    sizes = {"items": row["code_sizes"], "users": row["user_code_sizes"]}
    found = {name: ", ".join(map(str, one)) for name, one in sizes.items() if one}
    return "; ".join(f"{name} {text}" for name, text in found.items())


def _baselines(report: Report) -> str:
    rows = [
        [row["title"], str(seed["seed"]), _settings(seed["chosen"]), str(len(seed["tried"]))]
        for row in report["rows"]
        if row["group"] == "baselines"
        for seed in row["seeds"]
        if seed.get("chosen")
    ]
    table = markdown_table(["", "seed", "chosen on the validation lists", "of"], rows)
    return f"## The baselines' settings\n\n{table}" if rows else ""


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def papers_own(table: Table) -> str:
    """The paper's figures, as printed there."""
    rows = [
        [dataset, metric, *(f"{value:.4f}" for value in values)]
        for dataset, metrics in table.paper.items()
        for metric, values in metrics.items()
    ]
    if not rows:
        return ""
    figures = markdown_table(["", "", *table.paper_head], rows)
    return f"## {table.paper_title}\n\n{table.paper_note}\n\n{figures}"


def runs_section(trained: Sequence[dict[str, Any]], selected: tuple[str, str]) -> str:
    """Every run of rows with a `title` and `seeds`, and the metric, by name and title, that chose
    its epoch."""
    name, text = selected
    rows = [
        [
            row["title"],
            str(seed["seed"]),
            f"`{seed['run_id'][:12]}`" if seed.get("run_id") else "",
            f"`{seed['model_id']}`" if "model_id" in seed else f"`{seed['place']}`",
            f"`{seed.get('settings_hash', seed.get('key', ''))[:12]}`",
            str(seed.get("epochs", "")),
            duration(seed.get("seconds")),
            f"{seed['valid'][name]:.4f}",
            f"{seed['test'][name]:.4f}",
        ]
        for row in trained
        for seed in row["seeds"]
    ]
    head = ["", "seed", "run", "model, or file", "hash", "epoch kept", "time"]
    note = (
        "`cove runs show RUN` has the settings and each epoch; the hash is of the settings and the "
        "data; the time is from start to end, breaks included."
    )
    found = markdown_table([*head, f"valid {text}", f"test {text}"], rows)
    return f"## Runs\n\n{note}\n\n{found}"


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds; nothing where it is not known."""
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))
