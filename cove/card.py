"""The model card: an artifact's README.md, made from its manifest."""

from typing import Any

from cove.recommenders import CLICKS, LISTS, PREFERENCES


def model_card(manifest: dict[str, Any]) -> str:
    """Data, split, metrics beside the simple baselines, and code use, as Markdown."""
    what, split, note = _TASKS[manifest["task"]](manifest)
    lines = [
        f"# {manifest['recommender']} {_codes(manifest['quantizers'])}",
        "",
        f"{what} of `{manifest['data_name']}`. Made by `cove train`, seed {manifest['seed']}; the "
        f"weights are those of epoch {manifest['epochs']}, the best on the validation data.",
        "",
        "## Data",
        "",
        *[f"- {name}: {value}" for name, value in manifest["counts"].items() if value is not None],
        f"- sha256 of the raw files: `{manifest['data_sha256']}`",
        f"- {split}",
        "",
        "## Metrics",
        "",
        *_metric_table(manifest["metrics"]),
        "",
        note,
    ]
    for entity, levels in manifest["code_use"].items():
        lines += ["", f"## Codes of each {entity}", "", "| level | codes | used | perplexity |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [
            f"| {use['level']} | {use['size']} | {use['used']} | {use['perplexity']:.1f} |"
            for use in levels
        ]
    return "\n".join(lines) + "\n"


def _lists(manifest: dict[str, Any]) -> tuple[str, str, str]:
    return (
        "Completes lists",
        "lists split 8 : 1 : 1 at random by the seed; each is halved, the first half is given",
        "`ndcg_at` is the standard NDCG (ideal cut at k). `ndcg_at_full_ideal` is the paper's "
        "(ideal over all targets, lists with fewer than k targets skipped): never compare the two.",
    )


def _clicks(manifest: dict[str, Any]) -> tuple[str, str, str]:
    how = {"random": "at random by the seed", "time": "by time"}[
        manifest["training"]["task_options"]["split"]
    ]
    return (
        "Scores clicks",
        f"samples split 8 : 1 : 1 {how}",
        "NDCG, hit rate and `user_auc` are means over users, ties broken by no one's favour "
        "(the expectation over their orders); a user without a click, or for `user_auc` with "
        "clicks alone, is left out. AUC, log loss and calibration error are over all samples.",
    )


def _preferences(manifest: dict[str, Any]) -> tuple[str, str, str]:
    return (
        "Recommends items to users",
        "the last interaction of each user is tested on, the last but one validates; at random "
        "where the data have no order",
        "`ndcg_at` and `hit_at` rank the held-out item among all that the user has not had; with "
        "`sampled_99` among 99 others alone, which is easier: never compare the two.",
    )


_TASKS = {LISTS: _lists, CLICKS: _clicks, PREFERENCES: _preferences}


def _codes(quantizers: dict[str, Any]) -> str:
    parts = [
        f"COVE on {entity}s, code sizes {', '.join(map(str, quantizer['code_sizes']))}"
        for entity, quantizer in sorted(quantizers.items())
    ]
    return f"with {' and '.join(parts)}" if parts else "without COVE"


def _metric_table(metrics: dict[str, dict[str, float]]) -> list[str]:
    names = sorted({name for values in metrics.values() for name in values})
    rows = [f"| split or baseline | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for source, values in metrics.items():
        cells = [f"{values[name]:.4f}" if name in values else "" for name in names]
        rows.append(f"| {source} | {' | '.join(cells)} |")
    return rows
