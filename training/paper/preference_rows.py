"""Table 3 as data: each row is a run configuration, the same for every seed.

What a row is tuned to (by validation, never by test) stands here and nowhere else.
"""

from dataclasses import replace
from typing import Any

from training.paper.rows import AUTO, Row

_TRAINING: dict[str, Any] = {"batch_size": 1024, "learning_rate": 0.003, "patience": 10}
"""At the paper's rate of 0.001 BPRMF on `toys` stood at .0341 in validation after 80 epochs, where
0.003 had .0351."""
SETTINGS: dict[str, dict[str, Any]] = {
    "bprmf": _TRAINING | {"epochs": 60, "patience": 20, "regularization": 0.03},
    "neumf": _TRAINING
    | {"epochs": 16, "patience": 5, "negatives": 8, "dropout": 0.5, "validation_users": 3000},
    "cfkg": _TRAINING | {"epochs": 30},
    "lightgcn": _TRAINING | {"epochs": 30},
    "bprmf_softmax": _TRAINING | {"epochs": 30, "loss": "softmax"},
    "lightgcn_softmax": _TRAINING | {"epochs": 15, "loss": "softmax"},
}
"""Each recommender's own settings; a row and its base differ in COVE only. NeuMF on `toys`, seed 0,
in validation: .0069 with one negative at 0.001; with dropout at 0.003 .0255 with four, .0271 with
eight, .0234 with four at 0.006."""

_BASELINES = {
    "most_popular_item": "Most popular",
    "neighbour_items": "Item-kNN",
    "ease_of_users": "EASE",
    "ials": "iALS",
}
_TITLES = {
    "bprmf": "BPRMF",
    "neumf": "NeuMF",
    "cfkg": "CFKG",
    "lightgcn": "LightGCN",
    "bprmf_softmax": "Matrix factorization, sampled softmax",
    "lightgcn_softmax": "LightGCN, sampled softmax",
}
_RECOMMENDERS = {"bprmf_softmax": "bprmf", "lightgcn_softmax": "lightgcn"}
"""Of the rows that are not named after theirs."""
_PAPER_HAS_COVE_ON = ("bprmf", "neumf", "cfkg", "lightgcn")
SIZES = (100,)
"""Codes of either entity, where they are nearest codes."""
SHRINKAGE = {"bprmf_softmax": 0.01}
"""Where it is not the form's own for the recommender."""


def baseline_rows() -> list[Row]:
    """What any recommender has to beat; their names are not those of Table 2's baselines, whose
    results on the same data set lie beside theirs."""
    return [Row(name, title, "baselines", name) for name, title in _BASELINES.items()]


def plain_rows() -> list[Row]:
    """The four recommenders without COVE, and two with another loss."""
    return [
        Row(name, title, "plain", _RECOMMENDERS.get(name, name), SETTINGS[name])
        for name, title in _TITLES.items()
    ]


def cove_rows() -> list[Row]:
    """COVE on users and items of each, and the paper's settings where the paper has it."""
    plain = plain_rows()
    return [
        *(_with_cove(row, "cove", f"COVE on {row.title}", _default(row.name), AUTO)
          for row in plain),
        *(_with_cove(row, "cove-paper", f"COVE, paper's settings, on {row.title}",
                     {"form": "paper"}, SIZES)
          for row in plain if row.name in _PAPER_HAS_COVE_ON),
    ]  # fmt: skip


def control_rows() -> list[Row]:
    """What COVE is worth against doing less, or the same without learning."""
    rows = {row.name: row for row in plain_rows()}
    controls = [
        _with_cove(rows["bprmf"], "evolving", "COVE, evolving codes, on BPRMF",
                   {"form": "evolving"}, SIZES),
    ]  # fmt: skip
    for name in ("bprmf", "bprmf_softmax"):
        row, ours = rows[name], _default(name)
        random = ours | {"assignment": "random"}
        controls += [
            _with_cove(row, "alpha_0", f"{row.title}, codes without weight (α = 0)",
                       ours | {"alpha": 0.0}, AUTO),
            _with_cove(row, "random_codes", f"{row.title}, fixed random codes", random, AUTO),
        ]  # fmt: skip
    return [replace(row, group="controls") for row in controls]


def _default(name: str) -> dict[str, Any]:
    shrinkage = {"shrinkage": SHRINKAGE[name]} if name in SHRINKAGE else {}
    return {"form": "default"} | shrinkage


def _with_cove(
    row: Row, group: str, title: str, settings: dict[str, Any], sizes: tuple[int, ...]
) -> Row:
    return Row(
        f"{row.name}_{group.replace('-', '_')}", title, group, row.recommender,
        {**row.settings, **settings}, sizes, base=row.name, user_code_sizes=sizes,
    )  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 3, in its order."""
    return [*baseline_rows(), *plain_rows(), *cove_rows(), *control_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"}
