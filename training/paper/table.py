"""What is said of a table or a figure of the paper, whichever it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from training.evaluation import thirds
from training.paper.rows import Row


@dataclass(frozen=True)
class MetricTable:
    """A table of metrics that may stand side by side."""

    title: str
    metrics: dict[str, str]
    """Names as measured, and as the table's head has them."""
    note: str


@dataclass(frozen=True)
class Table:
    """A table or figure of the paper."""

    name: str
    """What `cove reproduce` calls it."""
    title: str
    task: str
    rows: Callable[[], list[Row]]
    is_main: Callable[[Row], bool]
    units: str
    """What a metric is averaged over, and a comparison is paired by."""
    units_note: str
    """How units of different seeds are taken in a comparison."""
    selected: tuple[str, str]
    """The metric that validation is judged by, by name and as a person reads it."""
    compared: dict[str, str]
    """The metrics of the comparisons, likewise."""
    plotted: tuple[str, str]
    """The metric of the plot, likewise."""
    metric_tables: tuple[MetricTable, ...]
    differences: tuple[str, ...]
    paper_title: str = ""
    paper_note: str = ""
    paper_head: tuple[str, ...] = ()
    paper: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    """The paper's own figures, where it prints any."""
    paper_metrics: Mapping[str, str] = field(default_factory=dict)
    """Our metrics of the paper's form, by name, and as the paper calls them."""
    questions: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """Rows that are compared with each other, beside each with its base, by what that tells."""
    draws_weights: bool = False
    """Whether the picture has the weights of COVE along its axes, or a line for each row."""


DEFAULT_FORM = (
    "COVE's default form is not the paper's: codes are fixed before training, by k-means in who "
    "occurs with whom in the training data, only the finest level is added to embeddings, and "
    "there are as many codes as a rule makes of the number of entities. Rows named `evolving` "
    "have nearest codes that move with the embeddings, `paper's settings` those to the letter."
)
RARE = "ndcg_at_10_of_rare_items"


def by_thirds(what: str, of_items: str) -> MetricTable:
    """Who gains; `what` is given: lists or histories."""
    columns = [
        *((name, name.replace("_", " ")) for name in thirds.OF_ITEMS),
        *((f"{name}_{what}", f"{name} {what}") for name in thirds.OF_LENGTHS),
    ]
    return MetricTable(
        "Table C: NDCG@10 by thirds",
        {f"{thirds.NDCG}_of_{name}": title for name, title in columns},
        f"Thirds of the items by their occurrences in training, {of_items}; and of the {what} by "
        "the number of items given. Equal numbers share the lower third.",
    )
