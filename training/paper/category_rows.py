"""Figure 5 as data: whose codes are compared with true categories, and with what."""

from dataclasses import replace

from training.paper.preference_rows import SIZES, cove_rows, plain_rows
from training.paper.rows import Row

BASE = "bprmf_softmax"
"""Its embeddings, learned without codes, are what the k-means codes are clusters of."""


def figure_rows() -> list[Row]:
    """The base, COVE's default form with as many codes as suit the data and with the paper's 100,
    and 100 codes that evolve; the first two are runs of Table 3."""
    base = next(row for row in plain_rows() if row.name == BASE)
    default = next(row for row in cove_rows() if row.base == BASE and row.group == "cove")
    hundred = replace(
        default, name=f"{BASE}_cove_100", title="COVE, 100 codes",
        code_sizes=SIZES, user_code_sizes=SIZES,
    )  # fmt: skip
    return [
        base,
        replace(default, title="COVE"),
        hundred,
        replace(
            hundred, name=f"{BASE}_cove_100_evolving", title="COVE, 100 codes that evolve",
            group="cove-evolving", settings={**base.settings, "form": "evolving"},
        ),
    ]  # fmt: skip
