"""Table 2 as data: each row is a run configuration, the same for every seed.

What a row is tuned to (by validation, never by test) stands here and nowhere else.
"""

from collections.abc import Sequence
from typing import Any

from training.paper.rows import AUTO, Row

_TRAINING: dict[str, Any] = {
    "epochs": 10,
    "batch_size": 128,
    "learning_rate": 0.003,
    "patience": 10,
}

SETTINGS: dict[str, dict[str, Any]] = {
    "caser": _TRAINING,
    "gru4rec": _TRAINING,
    "sasrec": _TRAINING,
    "car": _TRAINING | {"loss": "softmax"},
    "bert4rec": _TRAINING,
    "fans": _TRAINING,
    "fans_two_stage": _TRAINING,
    "bag": {
        "epochs": 20,
        "batch_size": 128,
        "learning_rate": 0.005,
        "dimensions": 256,
        "dropout": 0.5,
    },
}
"""Each recommender's own settings; a row and its base differ in COVE only."""

FORMS = (
    ("cove", "COVE", "default", AUTO),
    ("cove-evolving", "COVE, evolving codes,", "evolving", (500, 10)),
    ("cove-paper", "COVE, paper's settings,", "paper", (500, 10)),
)
"""Group, title, form and code sizes; those of the last two are the paper's."""
_PAPER_HAS_COVE_ON = ("bert4rec", "fans")

_TITLES = {
    "caser": "Caser",
    "gru4rec": "GRU4Rec",
    "sasrec": "SASRec",
    "car": "CAR",
    "bert4rec": "BERT4Rec",
    "fans": "FANS",
    "bag": "Bag of items (ours), D = 256",
}


def baselines() -> list[Row]:
    """What any model has to beat."""
    titles = {
        "most_popular": "Most popular",
        "item_cooccurrence": "Item co-occurrence",
        "item_knn": "Item-kNN",
        "ease": "EASE",
    }
    return [Row(name, title, "baselines", name) for name, title in titles.items()]


def plain_rows() -> list[Row]:
    """The six recommenders, and what else the table has without COVE."""
    rows = [
        Row(name, title, "plain", name, SETTINGS[name])
        for name, title in _TITLES.items()
    ]  # fmt: skip
    rows.append(
        Row(
            "bag_linear", "Bag of items with a linear part (ours)", "plain", "bag",
            SETTINGS["bag"] | {"linear": True},
            note="EASE's weights beside the bag's scores, their scale by validation",
        )
    )  # fmt: skip
    softmax = SETTINGS["sasrec"] | {"loss": "softmax"}
    rows.append(
        Row("sasrec_softmax", "SASRec, full cross-entropy", "plain", "sasrec", softmax)
    )  # fmt: skip
    two_stage = SETTINGS["fans_two_stage"]
    rows.append(
        Row(
            "fans_two_stage", "FANS_TSC, two stages", "plain", "fans_two_stage",
            two_stage | {"categories_from": "training"},
            note="categories by word2vec and k-means on the training lists",
        )
    )  # fmt: skip
    rows.append(
        Row(
            "fans_two_stage_leak", "FANS*, two stages (leak)", "plain", "fans_two_stage",
            two_stage | {"categories_from": "all"},
            note="a leak, to be compared with only: its categories come from all lists, the test "
            "lists included",
        )
    )  # fmt: skip
    return rows


def cove_rows(plain: Sequence[Row]) -> list[Row]:
    """COVE on all but the two-stage FANS, in its other forms where the paper has it."""
    return [
        Row(
            f"{row.name}_{group.replace('-', '_')}", f"{title} on {row.title}", group,
            row.recommender, {**row.settings, "form": form}, sizes, base=row.name,
        )
        for group, title, form, sizes in FORMS
        for row in plain
        if row.recommender != "fans_two_stage"
        and (form == "default" or row.name in _PAPER_HAS_COVE_ON)
    ]  # fmt: skip


def control_rows() -> list[Row]:
    """What COVE on FANS is worth against doing less, or the same without learning."""
    fans = SETTINGS["fans"]
    controls: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
        ("alpha_0", "FANS, codes without weight (α = 0)", {"alpha": 0.0}, None),
        ("random_codes", "FANS, fixed random codes", {"assignment": "random"}, None),
        ("all_levels", "FANS, all levels averaged (Eq. 3)", {"averaged_levels": 0}, None),
        ("kmeans_codes", "FANS, fixed k-means codes of plain FANS", {}, "fans"),
    )
    return [
        Row(
            f"fans_{name}", title, "controls", "fans", fans | {"form": "default"} | settings,
            AUTO, base="fans", codes_from=codes_from,
        )
        for name, title, settings, codes_from in controls
    ]  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 2, in its order."""
    plain = plain_rows()
    return [*baselines(), *plain, *cove_rows(plain), *control_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the leak, the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"} and row.name != "fans_two_stage_leak"
