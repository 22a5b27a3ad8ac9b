"""Table 3 as data: each row is a run configuration, the same for every seed.

What a row is tuned to (by validation, never by test) stands here and nowhere else.
"""

from typing import Any

from training.paper.click_rows import COVE_PAPER
from training.paper.rows import Row

_TRAINING: dict[str, Any] = {"batch_size": 1024, "learning_rate": 0.003, "patience": 10}
"""At the paper's rate of 0.001 BPRMF on `toys` stood at .0341 in validation after 80 epochs, where
0.003 had .0351."""
SETTINGS: dict[str, dict[str, Any]] = {
    "bprmf": _TRAINING | {"epochs": 60, "regularization": 0.03},
    "neumf": _TRAINING | {"learning_rate": 0.001, "epochs": 10, "validation_users": 1000},
    "cfkg": _TRAINING | {"epochs": 30},
    "lightgcn": _TRAINING | {"epochs": 30},
}
"""Each recommender's own settings; a row and its base differ in COVE only."""

_BASELINES = {
    "most_popular_item": "Most popular",
    "neighbour_items": "Item-kNN",
    "ease_of_users": "EASE",
    "ials": "iALS",
}
_TITLES = {"bprmf": "BPRMF", "neumf": "NeuMF", "cfkg": "CFKG", "lightgcn": "LightGCN"}
SIZES = (100,)
"""Codes of either entity."""


def baseline_rows() -> list[Row]:
    """What any recommender has to beat; their names are not those of Table 2's baselines, whose
    results on the same data set lie beside theirs."""
    return [Row(name, title, "baselines", name) for name, title in _BASELINES.items()]


def plain_rows() -> list[Row]:
    """The four recommenders without COVE."""
    return [Row(name, title, "plain", name, SETTINGS[name]) for name, title in _TITLES.items()]


def cove_rows() -> list[Row]:
    """COVE on users and items of each, and in the paper's settings."""
    forms: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cove", "COVE", {}),
        ("cove-paper", "COVE, paper's settings,", COVE_PAPER),
    )
    return [
        Row(
            f"{row.name}_{group.replace('-', '_')}", f"{title} on {row.title}", group,
            row.recommender, {**row.settings, **settings}, SIZES, base=row.name,
            user_code_sizes=SIZES,
        )
        for group, title, settings in forms
        for row in plain_rows()
    ]  # fmt: skip


def control_rows() -> list[Row]:
    """What COVE on BPRMF is worth against doing less, or the same without learning."""
    bprmf = SETTINGS["bprmf"]
    both: dict[str, Any] = {"base": "bprmf", "user_code_sizes": SIZES}
    return [
        Row("bprmf_cove_item", "COVE on items of BPRMF", "controls", "bprmf", bprmf, SIZES,
            base="bprmf"),
        Row("bprmf_cove_user", "COVE on users of BPRMF", "controls", "bprmf", bprmf, None, **both),
        Row("bprmf_alpha_0", "BPRMF, codes without weight (α = 0)", "controls", "bprmf",
            bprmf | {"alpha": 0.0}, SIZES, note="as many parameters as with COVE", **both),
        Row("bprmf_random_codes", "BPRMF, fixed random codes", "controls", "bprmf",
            bprmf | {"assignment": "random"}, SIZES, **both),
        Row("bprmf_kmeans_codes", "BPRMF, fixed k-means codes of plain BPRMF", "controls", "bprmf",
            bprmf, SIZES, codes_from="bprmf", **both),
    ]  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 3, in its order."""
    return [*baseline_rows(), *plain_rows(), *cove_rows(), *control_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"}
