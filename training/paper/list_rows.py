"""Table 2 as data: each row is a run configuration, the same for every seed.

What a row is tuned to (by validation, never by test) stands here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from training.paper.rows import Row

_TRAINING: dict[str, Any] = {"epochs": 10, "batch_size": 128, "learning_rate": 0.003}

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

COVE_PAPER: dict[str, Any] = {
    "alpha": 1.0,
    "commitment_weight": 1.0,
    "quantization_weight": 1.0,
    "code_prediction_weight": 1.0,
    "gradient": "straight_through",
    "loss_reduction": "sum",
    "initialization": "sample",
}
"""The paper's text: α = β = ω_q = ω_c = 1 (Section 4.6), Eq. 5, the sum of Eq. 6."""
COVE_PAPER_SIZES = (500, 10)

COVE_DEFAULT: dict[str, Any] = {
    "alpha": 0.5,
    "initialization": "kmeans",
    "warmup_epochs": 2,
    "code_prediction_weight": 0.0,
}
"""Our form of COVE, where it differs from the settings' defaults."""
COVE_DEFAULT_SIZES = (500, 10)

CONTROL_SIZES = ((100,), (500, 10), (2000, 200, 10))

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
    """COVE on all but the two-stage FANS, and in the paper's form where the paper has it."""
    forms = (
        ("cove", "COVE", COVE_DEFAULT, COVE_DEFAULT_SIZES),
        ("cove-paper", "COVE, paper's settings,", COVE_PAPER, COVE_PAPER_SIZES),
    )
    return [
        Row(
            f"{row.name}_{group.replace('-', '_')}", f"{title} on {row.title}", group,
            row.recommender, {**row.settings, **settings}, sizes, base=row.name,
        )
        for group, title, settings, sizes in forms
        for row in plain
        if row.recommender != "fans_two_stage"
        and (group == "cove" or row.name in _PAPER_HAS_COVE_ON)
    ]  # fmt: skip


def control_rows() -> list[Row]:
    """What COVE on FANS is worth against doing less, or the same without learning."""
    fans, default = SETTINGS["fans"], SETTINGS["fans"] | COVE_DEFAULT
    rows = [
        Row(
            "fans_alpha_0", "FANS, codes without weight (α = 0)", "controls", "fans",
            default | {"alpha": 0.0}, COVE_DEFAULT_SIZES, base="fans",
            note="as many parameters as with COVE",
        ),
        Row(
            "fans_random_codes", "FANS, fixed random codes", "controls", "fans",
            default | {"assignment": "random"}, COVE_DEFAULT_SIZES, base="fans",
        ),
        codes_of_the_trained_plain_model(fans),
    ]  # fmt: skip
    for sizes in CONTROL_SIZES:
        if sizes != COVE_DEFAULT_SIZES:
            text = ", ".join(map(str, sizes))
            rows.append(
                Row(
                    f"fans_cove_{'_'.join(map(str, sizes))}", f"COVE on FANS, codes {text}",
                    "controls", "fans", default, sizes, base="fans",
                )
            )  # fmt: skip
    return rows


def codes_of_the_trained_plain_model(fans: Mapping[str, Any]) -> Row:
    """Codes by k-means on the embeddings of the trained plain FANS, which then never change."""
    kept = {k: v for k, v in COVE_DEFAULT.items() if k not in {"assignment", "initialization"}}
    return Row(
        "fans_kmeans_codes", "FANS, fixed k-means codes of plain FANS", "controls", "fans",
        {**fans, **kept}, COVE_DEFAULT_SIZES, base="fans", codes_from="fans",
    )  # fmt: skip


def table_rows() -> list[Row]:
    """Every row of Table 2, in its order."""
    plain = plain_rows()
    return [*baselines(), *plain, *cove_rows(plain), *control_rows()]


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: all but the leak, the paper's form and the controls."""
    return row.group in {"baselines", "plain", "cove"} and row.name != "fans_two_stage_leak"
