"""Table 4 and Figure 3 as data: each row is a run configuration, the same for every seed.

What a row is tuned to (by validation, never by test) stands here and nowhere else.
"""

from typing import Any

from training.paper.rows import AUTO, Row

_DEEP: dict[str, Any] = {"epochs": 6, "batch_size": 1000, "learning_rate": 0.001, "patience": 2}
_SHALLOW: dict[str, Any] = {"epochs": 40, "batch_size": 1000, "learning_rate": 0.01}
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic_regression": _SHALLOW,
    "factorization_machine": _SHALLOW,
    "dcn": _DEEP,
    "deepfm": _DEEP,
    "fibinet": _DEEP | {"learning_rate": 0.003},  # at 0.001 it stays at the shares of the ids
    "finalmlp": _DEEP,
}
"""Each recommender's own settings; a row and its base differ in COVE only."""

_BASELINES = {
    "logistic_regression": "Logistic regression",
    "factorization_machine": "Factorization machine",
}
_TITLES = {"dcn": "DCN", "deepfm": "DeepFM", "fibinet": "FiBiNET", "finalmlp": "FinalMLP"}

SIZES = (100,)
"""Codes of either entity, where they evolve; ml100k has 849 users and 1,641 items after its
filter."""
FORMS = {
    "user": ("COVE on users", AUTO, None),
    "item": ("COVE on items", None, AUTO),
    "both": ("COVE on users and items", AUTO, AUTO),
}
"""What Figure 3 tells apart: title, code sizes of users and of items."""


def baseline_rows() -> list[Row]:
    """What any network has to beat."""
    return [
        Row(name, title, "baselines", name, SETTINGS[name]) for name, title in _BASELINES.items()
    ]


def plain_rows() -> list[Row]:
    """The four networks without COVE."""
    return [Row(name, title, "plain", name, SETTINGS[name]) for name, title in _TITLES.items()]


def cove_rows() -> list[Row]:
    """COVE on users, on items and on both, of each network."""
    return [
        Row(
            f"{row.name}_cove_{form}", f"{title} of {row.title}", "cove", row.recommender,
            {**row.settings, "form": "default"}, item_sizes, base=row.name,
            user_code_sizes=user_sizes,
        )
        for row in plain_rows()
        for form, (title, user_sizes, item_sizes) in FORMS.items()
    ]  # fmt: skip


def other_rows() -> list[Row]:
    """The paper's settings, and the controls, on DeepFM with COVE on both."""
    deepfm = SETTINGS["deepfm"]
    default = deepfm | {"form": "default"}
    rows: tuple[tuple[str, str, str, dict[str, Any], tuple[int, ...], str | None], ...] = (
        ("cove_paper", "COVE, paper's settings, on users and items of DeepFM", "cove-paper",
         deepfm | {"form": "paper"}, SIZES, None),
        ("cove_evolving", "COVE, evolving codes, on users and items of DeepFM", "cove-evolving",
         deepfm | {"form": "evolving"}, SIZES, None),
        ("alpha_0", "DeepFM, codes without weight (α = 0)", "controls",
         default | {"alpha": 0.0}, AUTO, None),
        ("random_codes", "DeepFM, fixed random codes", "controls",
         default | {"assignment": "random"}, AUTO, None),
        ("kmeans_codes", "DeepFM, fixed k-means codes of plain DeepFM", "controls",
         default, AUTO, "deepfm"),
    )  # fmt: skip
    return [
        Row(
            f"deepfm_{name}", title, group, "deepfm", settings, sizes, base="deepfm",
            user_code_sizes=sizes, codes_from=codes_from,
        )
        for name, title, group, settings, sizes, codes_from in rows
    ]  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 4, in its order."""
    return [*baseline_rows(), *plain_rows(), *cove_rows(), *other_rows()]


def figure_rows() -> list[Row]:
    """The rows of Figure 3: they are Table 4's, and its runs."""
    return [*plain_rows(), *cove_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"}
