"""Table 5 and Figure 4 as data: what levels, sizes and weights of COVE are worth, on lists.

Both are about the paper's codes, which evolve: what they vary does little or nothing in the
default form, whose coarser levels are not added to embeddings and which has no Eq. 6. So they run
in the form `evolving`; in `paper`, whose codebooks start at random and whose Eq. 6 is a sum, Figure
4 alone, for there every row is far below the plain recommender (`list_rows`).
"""

from training.paper.list_rows import SETTINGS
from training.paper.paper_figures import SIZES
from training.paper.rows import Row

_TITLES = {"bert4rec": "BERT4Rec", "fans": "FANS"}
_RANDOM_SIZES = ((10,), (100,), (500,), (500, 10), (1000, 10))
"""What random codes are tried with, of the sizes of Table 5."""

BEST_SIZES = (500, 10)
"""What Figure 4 runs with: the paper's best on Zhihu, the nearer of its two sets in size."""
STEPS = (0.0, 0.2, 0.4, 0.6, 0.8)
"""What a weight takes while the others are 1; 1 itself is one row for all."""
WEIGHTS = {
    "alpha": "α",
    "commitment_weight": "β",
    "quantization_weight": "ω_q",
    "code_prediction_weight": "ω_c",
}
"""The settings of Figure 4, as the paper writes them."""


def plain_rows(*names: str) -> list[Row]:
    """Recommenders without COVE, as Table 2 has them."""
    return [Row(name, _TITLES[name], "plain", name, SETTINGS[name]) for name in names]


def size_rows() -> list[Row]:
    """Table 5: all sizes with codes that evolve, on FANS with fixed codes too, and random ones."""
    everything = {"averaged_levels": 0}
    kinds = (
        ("fans", "evolving", "cove-evolving", "evolving codes", {"form": "evolving"}, SIZES),
        ("bert4rec", "evolving", "cove-evolving", "evolving codes", {"form": "evolving"}, SIZES),
        ("fans", "fixed", "cove", "fixed codes", {"form": "default"} | everything, SIZES),
        ("fans", "random", "controls", "random codes",
         {"form": "default", "assignment": "random"} | everything, _RANDOM_SIZES),
    )  # fmt: skip
    rows = [
        Row(
            f"{name}_{kind}_{_joined(sizes)}",
            f"{_TITLES[name]}, {title}, {', '.join(map(str, sizes))}",
            group, name, {**SETTINGS[name], **settings}, sizes, base=name,
        )
        for name, kind, group, title, settings, each in kinds
        for sizes in each
    ]  # fmt: skip
    return [*plain_rows("bert4rec", "fans"), *rows]


def weight_rows() -> list[Row]:
    """Figure 4: each weight from 0 to 1 while the others are 1, on FANS."""
    forms = {"evolving": "cove-evolving", "paper": "cove-paper"}
    ones = dict.fromkeys(WEIGHTS, 1.0)
    changes = [("ones", "all weights 1", ones)]
    changes += [
        (f"{name}_{value:g}", f"{letter} = {value:g}", ones | {name: value})
        for name, letter in WEIGHTS.items()
        for value in STEPS
    ]
    rows = [
        Row(
            f"fans_{form}_{name}", f"FANS, {form}, {title}", group, "fans",
            {**SETTINGS["fans"], "form": form, **weights}, BEST_SIZES, base="fans",
        )
        for form, group in forms.items()
        for name, title, weights in changes
    ]  # fmt: skip
    return [*plain_rows("fans"), *rows]


def size_questions() -> dict[str, list[tuple[str, str]]]:
    """What Table 5 is read for, each with the rows that answer it."""
    levels = [(sizes, sizes[:-1]) for sizes in SIZES if len(sizes) > 1 and sizes[:-1] in SIZES]
    return {
        "What a coarser level adds": [
            (f"{kind}_{_joined(more)}", f"{kind}_{_joined(fewer)}")
            for kind in ("fans_evolving", "bert4rec_evolving", "fans_fixed")
            for more, fewer in levels
        ],
        "What codes have beyond random ones": [
            (f"fans_{kind}_{_joined(sizes)}", f"fans_random_{_joined(sizes)}")
            for kind in ("evolving", "fixed")
            for sizes in _RANDOM_SIZES
        ],
    }


def weight_questions() -> dict[str, list[tuple[str, str]]]:
    """What Figure 4 is read for: what is lost where one weight is 0."""
    pairs = [
        (f"fans_{form}_ones", f"fans_{form}_{name}_0")
        for form in ("evolving", "paper")
        for name in WEIGHTS
    ]
    return {"What each weight is worth, all at 1 against it at 0": pairs}


def _joined(sizes: tuple[int, ...]) -> str:
    return "_".join(map(str, sizes))


def is_main(row: Row) -> bool:
    """Whether `--rows main` means the row: the recommenders, and COVE with codes that evolve."""
    return row.group in {"plain", "cove-evolving"}
