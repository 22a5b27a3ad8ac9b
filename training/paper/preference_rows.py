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
    "neumf": _TRAINING | {"epochs": 12, "validation_users": 2000},
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
"""Codes of either entity, where nearest codes evolve with the embeddings."""
COOCCURRENCE_SIZES = (8000,)
"""Codes of either entity from co-occurrence, or two thirds of the entities if these are fewer."""
COOCCURRENCE: dict[str, dict[str, Any]] = {
    name: {"assignment": "cooccurrence", "alpha": 1.0} | settings
    for name, settings in {
        "bprmf": {"shrinkage": 0.04},
        "neumf": {"shrinkage": 0.001},
        "cfkg": {"shrinkage": 0.01},
        "lightgcn": {"shrinkage": 0.001},
    }.items()
}
"""Our form: codes from who occurs with whom, and shrinkage towards them."""


def baseline_rows() -> list[Row]:
    """What any recommender has to beat; their names are not those of Table 2's baselines, whose
    results on the same data set lie beside theirs."""
    return [Row(name, title, "baselines", name) for name, title in _BASELINES.items()]


def plain_rows() -> list[Row]:
    """The four recommenders without COVE."""
    return [Row(name, title, "plain", name, SETTINGS[name]) for name, title in _TITLES.items()]


def cove_rows() -> list[Row]:
    """COVE on users and items of each, and in the paper's settings."""
    plain = plain_rows()
    return [
        *(_with_cove(row, "COVE", "cove", COOCCURRENCE[row.name], COOCCURRENCE_SIZES)
          for row in plain),
        *(_with_cove(row, "COVE, paper's settings,", "cove-paper", COVE_PAPER, SIZES)
          for row in plain),
    ]  # fmt: skip


def _with_cove(
    row: Row, title: str, group: str, settings: dict[str, Any], sizes: tuple[int, ...]
) -> Row:
    return Row(
        f"{row.name}_{group.replace('-', '_')}", f"{title} on {row.title}", group,
        row.recommender, {**row.settings, **settings}, sizes, base=row.name, user_code_sizes=sizes,
    )  # fmt: skip


def control_rows() -> list[Row]:
    """What COVE on BPRMF is worth against doing less, or the same without learning."""
    bprmf = SETTINGS["bprmf"]
    ours = bprmf | COOCCURRENCE["bprmf"]
    rows = (
        ("cove_nearest", "COVE, nearest codes, on BPRMF", bprmf, SIZES, None),
        ("alpha_0", "BPRMF, codes without weight (α = 0)", ours | {"alpha": 0.0},
         COOCCURRENCE_SIZES, None),
        ("random_codes", "BPRMF, fixed random codes", ours | {"assignment": "random"},
         COOCCURRENCE_SIZES, None),
        ("kmeans_codes", "BPRMF, fixed k-means codes of plain BPRMF", bprmf, SIZES, "bprmf"),
    )  # fmt: skip
    return [
        Row(
            f"bprmf_{name}", title, "controls", "bprmf", settings, sizes, base="bprmf",
            user_code_sizes=sizes, codes_from=codes_from,
        )
        for name, title, settings, sizes, codes_from in rows
    ]  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 3, in its order."""
    return [*baseline_rows(), *plain_rows(), *cove_rows(), *control_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"}
