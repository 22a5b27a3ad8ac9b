"""Figure 5 as Markdown, made from its JSON values alone."""

import statistics
from collections import defaultdict
from typing import Any

from training.paper.markdown import markdown_table
from training.paper.report import machine_line, runs_section

_MEASURES = {
    "purity": "purity",
    "normalized_mutual_information": "mutual information",
    "adjusted_rand_index": "adjusted Rand index",
    "covered_by_a_tenth": "covered by a tenth",
}
_NOTES = (
    "The paper draws, for four categories of MIND's news and 100 codes on one level, which share "
    "of a category the i codes with most of it cover. Here the same for each level, as a mean over "
    "all categories weighted by their sizes; the JSON has the largest categories by themselves. "
    "*Covered by a tenth*: by the tenth of the codes with most of each category.",
    "An item of several categories counts in each by an equal share; pairs of the Rand index take "
    "one of them with equal chances; in the coverage it counts whole in each. Items without a "
    "category are left out.",
    "*k-means*: as many clusters of the embeddings of the same recommender trained without codes. "
    "*random*: the learned codes dealt out anew, so of the same sizes. Purity, mutual information "
    "and coverage grow with the number of codes and with uneven sizes even by chance: compare "
    "within a level alone.",
    "Recommender: matrix factorization with a sampled softmax, COVE on users and items, from "
    "interactions alone: no recommender is given the categories. The paper has DeepFM and FiBiNET "
    "on clicks.",
)


def markdown(report: dict[str, Any]) -> str:
    """The whole page."""
    data = report["dataset"]
    quality = report["rows"][0]["quality"]
    seeds = ", ".join(map(str, report["seeds"]))
    lines = [
        f"# Figure 5 on `{data['name']}`",
        "",
        "```",
        report["command"],
        "```",
        "",
        f"- {report['date']}; {machine_line(report['machine'])}",
        f"- {quality['entities']} items with a category, {quality['num_categories']} categories; "
        f"seeds {seeds}; sha256 `{data['sha256'][:16]}`",
        *(f"- not there: {f['row']}, seed {f['seed']}: {f['reason']}" for f in report["failed"]),
        "",
        f"![Figure 5]({report['figure']}-{data['name']}.png)",
        "",
        "## What is compared",
        "",
        *(f"- {note}" for note in _NOTES),
        "",
        "## Agreement with the categories",
        "",
        "Means over the seeds; level 1 is the finest.",
        "",
        markdown_table(["", "level", "codes", "which", *_MEASURES.values()], _rows(report)),
        "",
        runs_section(report["trained"], ("ndcg_at_10", "full NDCG@10")),
    ]
    return "\n".join(lines) + "\n"


def _rows(report: dict[str, Any]) -> list[list[str]]:
    found: dict[tuple[str, int, int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in report["rows"]:
        for level in row["quality"]["levels"]:
            for codes in level["sets"]:
                key = (row["title"], level["level"], level["size"], codes["codes"])
                found[key].append(codes)
    return [
        [title, str(level), str(size), kind,
         *(f"{statistics.mean(each[name] for each in sets):.4f}" for name in _MEASURES)]
        for (title, level, size, kind), sets in found.items()
    ]  # fmt: skip
