"""The model card: an artifact's README.md, made from its manifest."""

from typing import Any


def model_card(manifest: dict[str, Any]) -> str:
    """Data, split, metrics beside the simple baselines, and code use, as Markdown."""
    quantizer = manifest["quantizers"].get("item")
    codes = (
        f"with COVE on items, code sizes {', '.join(map(str, quantizer['code_sizes']))}"
        if quantizer
        else "without COVE"
    )
    lines = [
        f"# {manifest['recommender']} {codes}",
        "",
        f"Completes lists of `{manifest['data_name']}`. Made by `cove train`, seed "
        f"{manifest['seed']}; the weights are those of epoch {manifest['epochs']}, the best on "
        "the validation lists.",
        "",
        "## Data",
        "",
        *[f"- {name}: {value}" for name, value in manifest["counts"].items() if value is not None],
        f"- sha256 of the raw files: `{manifest['data_sha256']}`",
        "- lists split 8 : 1 : 1 at random by the seed; each is halved, the first half is given",
        "",
        "## Metrics",
        "",
        *_metric_table(manifest["metrics"]),
        "",
        "`ndcg_at` is the standard NDCG (ideal cut at k). `ndcg_at_full_ideal` is the paper's",
        "(ideal over all targets, lists with fewer than k targets skipped): never compare the two.",
    ]
    for entity, levels in manifest["code_use"].items():
        lines += ["", f"## Codes of each {entity}", "", "| level | codes | used | perplexity |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [
            f"| {use['level']} | {use['size']} | {use['used']} | {use['perplexity']:.1f} |"
            for use in levels
        ]
    return "\n".join(lines) + "\n"


def _metric_table(metrics: dict[str, dict[str, float]]) -> list[str]:
    names = sorted({name for values in metrics.values() for name in values})
    rows = [f"| split or baseline | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for source, values in metrics.items():
        cells = [f"{values[name]:.4f}" if name in values else "" for name in names]
        rows.append(f"| {source} | {' | '.join(cells)} |")
    return rows
