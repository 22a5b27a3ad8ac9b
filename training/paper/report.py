"""A table as Markdown, made from its JSON values alone: no figure stands here by hand."""

from collections.abc import Iterable, Sequence
from typing import Any

from training.paper import paper_figures

Report = dict[str, Any]
STANDARD = ("ndcg_at_5", "ndcg_at_10", "hit_at_5", "hit_at_10", "ndcg_at_10_of_new_lists")
FULL_IDEAL = ("ndcg_at_full_ideal_5", "ndcg_at_full_ideal_10")
_SHORT = {
    "ndcg_at_5": "NDCG@5",
    "ndcg_at_10": "NDCG@10",
    "hit_at_5": "HR@5",
    "hit_at_10": "HR@10",
    "ndcg_at_10_of_new_lists": "NDCG@10, copies left out",
    "ndcg_at_full_ideal_5": "full-ideal NDCG@5",
    "ndcg_at_full_ideal_10": "full-ideal NDCG@10",
}


def markdown(report: Report) -> str:
    """The whole page."""
    sections = [
        _head(report),
        _differences(report),
        _metrics(report, "Table A: standard NDCG and hit rate", STANDARD, _STANDARD_NOTE),
        _metrics(report, "Table B: the paper's reading of NDCG", FULL_IDEAL, _FULL_IDEAL_NOTE),
        _comparisons(report),
        _code_use(report),
        _rows(report),
        _baselines(report),
        _paper(),
        _runs(report),
    ]
    if report["failed"]:
        sections.insert(1, _failed(report))
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(report: Report) -> str:
    machine, data, counts = report["machine"], report["dataset"], report["dataset"]["counts"]
    rule = ", ".join(f"{name} {value}" for name, value in data["filter"].items())
    changed = ", ".join(f"{k}={v}" for k, v in report["settings_for_all"].items())
    splits = "; ".join(
        f"seed {seed}: {split['train']} / {split['valid']} / {split['test']} lists, "
        f"{split['items']} items known in training, {split['test_copies']} test lists are copies"
        for seed, split in data["splits"].items()
    )
    lines = [
        f"# Table 2 on `{data['name']}`",
        "",
        "```",
        report["command"],
        "```",
        "",
        f"- {report['date']}; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['device']}; torch {machine['torch']}, Python {machine['python']}, "
        f"cove {machine['cove']}",
        f"- data: {counts['lists']} lists, {counts['items']} items, {counts['interactions']} "
        f"interactions ({counts['items_per_list']:.1f} a list, {counts['shortest']} to "
        f"{counts['longest']}) after the filter ({rule}); sha256 `{data['sha256'][:16]}`",
        f"- training / validation / test: {splits}",
    ]
    if changed:
        lines.append(f"- **set for every trained row: {changed}**")
    return "\n".join(lines)


def _failed(report: Report) -> str:
    lines = ["## Not there", ""]
    lines += [f"- {f['row']}, seed {f['seed']}: {f['reason']}" for f in report["failed"]]
    return "\n".join(lines)


def _differences(report: Report) -> str:
    return "\n".join(
        [
            "## How this differs from the paper",
            "",
            "- The data set is another one: the paper has Zhihu, Spotify and Goodreads. Figures "
            "can be compared within a table of this page, not with the paper's.",
            "- Lists are split 8 : 1 : 1 by the seed, so each seed has its own training, "
            "validation and test lists, and vocabulary and popularity come from its training "
            "lists alone. The paper does not say whether its five runs share a split.",
            "- Before the split, items and lists are filtered by counts over all lists, as FANS "
            "does; nothing else looks at the test lists, but in a row that is marked as a leak.",
            "- The first floor(n/2) items of a list are given, the rest are the targets. A target "
            "that no training list holds counts as a target and cannot be found. Repeats stay in "
            "a list; a repeated target counts once. Lists that are too long are cut "
            f"(`too_long` {report['dataset']['filter']['too_long']}); the paper leaves that open.",
            "- Recommendations are ranked over the whole catalogue, given items left out.",
            "- Standard NDCG cuts the ideal at k. In the paper's, read from FANS' published "
            "metric, the ideal ranks all targets and lists with fewer than k targets are "
            "skipped; it has a table of its own and is never compared with the standard one.",
            "- What was tuned was tuned on validation lists. Weights are those of the epoch with "
            "the best standard NDCG@10 on the validation lists.",
        ]
    )


_STANDARD_NOTE = (
    "Test lists; mean ± standard deviation over the seeds. The last column leaves out the test "
    "lists that are, item for item, a training list over again: people post a list twice, and "
    "whoever remembers completes it. They are in all other figures."
)
_FULL_IDEAL_NOTE = (
    "The ideal ranks all targets; lists with fewer than k targets are skipped. Not to be compared "
    "with Table A."
)


def _metrics(report: Report, title: str, names: Sequence[str], note: str) -> str:
    rows = []
    wanted = len(report["seeds"])
    for group, text in report["groups"].items():
        found = [row for row in report["rows"] if row["group"] == group]
        if found:
            rows.append([f"*{text}*", *[""] * len(names)])
        for row in found:
            have = len(row["seeds"])
            some = "" if have == wanted else f" ({have} of {wanted} seeds)"
            rows.append([row["title"] + some, *(_mean(row, name) for name in names)])
    table = _table(["", *(_SHORT[name] for name in names)], rows)
    return f"## {title}\n\n{note}\n\n{table}"


def _mean(row: dict[str, Any], name: str) -> str:
    if name not in row["mean"]:
        return "no list has it"
    spread = row["sd"][name]
    return f"{row['mean'][name]:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _comparisons(report: Report) -> str:
    titles = {row["name"]: row["title"] for row in report["rows"]}
    groups = {row["name"]: row["group"] for row in report["rows"]}
    parts = {
        "COVE against its base": [
            c
            for c in report["comparisons"]
            if c["kind"] == "base" and groups[c["row"]] != "controls"
        ],
        "Controls against FANS without COVE": [
            c
            for c in report["comparisons"]
            if c["kind"] == "base" and groups[c["row"]] == "controls"
        ],
        "The best COVE row against the baselines": [
            c for c in report["comparisons"] if c["kind"] == "baseline"
        ],
    }
    lines = [
        "## Comparisons",
        "",
        "Standard NDCG@10 on the same test lists: mean difference over the seeds, its 95 % "
        "interval by a paired bootstrap over the lists of each seed, and p (two-sided) by flipping "
        "signs. Both take the seeds as they are: what varies between trainings and splits is not "
        "in the interval, the last column shows it. Test lists of different seeds overlap a "
        "little. No p is corrected for the number of comparisons. The best COVE row is the one "
        "with the highest mean on the validation lists.",
    ]
    for title, found in parts.items():
        rows = [
            [
                f"{titles[c['row']]} − {titles[c['against']]}",
                f"{c['difference']:+.4f}",
                f"{c['low']:+.4f} to {c['high']:+.4f}",
                f"{c['p_value']:.4f}",
                ", ".join(f"{value:+.4f}" for value in c["by_seed"]),
            ]
            for c in found
        ]
        if rows:
            head = ["", "difference", "95 % interval", "p", "by seed"]
            lines += ["", f"### {title}", "", _table(head, rows)]
    return "\n".join(lines) if len(lines) > 3 else ""


def _code_use(report: Report) -> str:
    rows = []
    for row in report["rows"]:
        levels = zip(*(seed.get("code_use", []) for seed in row["seeds"]), strict=False)
        for uses in levels:
            used = ", ".join(f"{use['used']}/{use['size']}" for use in uses)
            perplexity = ", ".join(f"{use['perplexity']:.1f}" for use in uses)
            rows.append([row["title"], str(uses[0]["level"]), used, perplexity])
    if not rows:
        return ""
    table = _table(["", "level", "codes used, by seed", "perplexity, by seed"], rows)
    return f"## Use of the codes\n\nOver the whole catalogue; level 1 is the finest.\n\n{table}"


def _rows(report: Report) -> str:
    rows = [
        [
            row["title"],
            f"`{row['name']}`",
            row["recommender"],
            ", ".join(map(str, row["code_sizes"] or [])),
            ", ".join(f"{name}={value}" for name, value in row["settings"].items()) or "defaults",
            row["note"],
        ]
        for row in report["rows"]
        if row["group"] != "baselines"
    ]
    head = ["", "row", "recommender", "code sizes", "settings", "note"]
    return f"## What each row is\n\n{_table(head, rows)}" if rows else ""


def _baselines(report: Report) -> str:
    rows = [
        [row["title"], str(seed["seed"]), _settings(seed["chosen"]), str(len(seed["tried"]))]
        for row in report["rows"]
        if row["group"] == "baselines"
        for seed in row["seeds"]
        if seed["chosen"]
    ]
    table = _table(["", "seed", "chosen on the validation lists", "of"], rows)
    return f"## The baselines' settings\n\n{table}" if rows else ""


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _paper() -> str:
    lines = [
        "## The paper's own Table 2",
        "",
        "Other data sets, and its N@k is the full-ideal reading of Table B: for reference only.",
    ]
    rows = [
        [dataset, metric, *(f"{value:.4f}" for value in values)]
        for dataset, metrics in paper_figures.TABLE_2.items()
        for metric, values in metrics.items()
    ]
    return "\n".join([*lines, "", _table(["", "", *paper_figures.MODELS], rows)])


def _runs(report: Report) -> str:
    rows = [
        [
            row["title"],
            str(seed["seed"]),
            f"`{seed['run_id'][:12]}`" if seed.get("run_id") else "",
            f"`{seed['model_id']}`" if "model_id" in seed else f"`{seed['place']}`",
            str(seed.get("epochs", "")),
            f"{seed['valid']['ndcg_at_10']:.4f}",
            f"{seed['test']['ndcg_at_10']:.4f}",
        ]
        for row in report["rows"]
        for seed in row["seeds"]
    ]
    head = ["", "seed", "run", "model, or file", "epoch kept", "valid NDCG@10", "test NDCG@10"]
    return (
        f"## Runs\n\n`cove runs show RUN` has the settings and each epoch.\n\n{_table(head, rows)}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)
