"""A table as Markdown, made from its JSON values alone: no figure stands here by hand."""

from collections.abc import Iterable, Sequence
from typing import Any

from training.paper.tables import TABLES, MetricTable, Table

Report = dict[str, Any]


def markdown(report: Report) -> str:
    """The whole page."""
    table = TABLES[report["table"]]
    sections = [
        _head(report, table),
        _differences(table),
        *(_metrics(report, one) for one in table.metric_tables),
        _comparisons(report, table),
        _code_use(report),
        _rows(report),
        _baselines(report),
        _paper(table),
        _runs(report, table),
    ]
    if report["failed"]:
        sections.insert(1, _failed(report))
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(report: Report, table: Table) -> str:
    machine, data, counts = report["machine"], report["dataset"], report["dataset"]["counts"]
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
        f"# {table.title} on `{data['name']}`",
        "",
        "```",
        report["command"],
        "```",
        "",
        f"- {report['date']}; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['device']}; torch {machine['torch']}, Python {machine['python']}, "
        f"cove {machine['cove']}",
        f"- data after the filter ({rule}): {held}; sha256 `{data['sha256'][:16]}`",
        f"- {splits}",
    ]
    if changed:
        lines.append(f"- **set for every trained row: {changed}**")
    return "\n".join(lines)


def _failed(report: Report) -> str:
    lines = ["## Not there", ""]
    lines += [f"- {f['row']}, seed {f['seed']}: {f['reason']}" for f in report["failed"]]
    return "\n".join(lines)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _differences(table: Table) -> str:
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


_COMPARISON_NOTE = (
    "On the same test data: mean difference over the seeds, its 95 % interval by a paired "
    "bootstrap over the {units}, and p (two-sided) by flipping signs. Both take the seeds as they "
    "are: what varies between trainings and splits is not in the interval, the last column shows "
    "it. {units_note} No p is corrected for the number of comparisons. The best COVE row is the "
    "one with the highest mean {selected} in validation."
)


def _comparisons(report: Report, table: Table) -> str:
    titles = {row["name"]: row["title"] for row in report["rows"]}
    groups = {row["name"]: row["group"] for row in report["rows"]}
    found = report["comparisons"]
    against_base = [c for c in found if c["kind"] == "base"]
    parts = {
        "COVE against its base": [c for c in against_base if groups[c["row"]] != "controls"],
        "Controls against the base without COVE": [
            c for c in against_base if groups[c["row"]] == "controls"
        ],
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
    return "\n".join(lines) if len(lines) > 3 else ""


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


def _paper(table: Table) -> str:
    rows = [
        [dataset, metric, *(f"{value:.4f}" for value in values)]
        for dataset, metrics in table.paper.items()
        for metric, values in metrics.items()
    ]
    if not rows:
        return ""
    figures = markdown_table(["", "", *table.paper_head], rows)
    return f"## {table.paper_title}\n\n{table.paper_note}\n\n{figures}"


def _runs(report: Report, table: Table) -> str:
    name, text = table.selected
    rows = [
        [
            row["title"],
            str(seed["seed"]),
            f"`{seed['run_id'][:12]}`" if seed.get("run_id") else "",
            f"`{seed['model_id']}`" if "model_id" in seed else f"`{seed['place']}`",
            str(seed.get("epochs", "")),
            f"{seed['valid'][name]:.4f}",
            f"{seed['test'][name]:.4f}",
        ]
        for row in report["rows"]
        for seed in row["seeds"]
    ]
    head = ["", "seed", "run", "model, or file", "epoch kept", f"valid {text}", f"test {text}"]
    runs = markdown_table(head, rows)
    return f"## Runs\n\n`cove runs show RUN` has the settings and each epoch.\n\n{runs}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in its cells become slashes."""
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)
