"""A table of five small rows that takes seconds."""

from pathlib import Path
from typing import Any

from tests.training.worlds import CODE_SIZES, SMALL
from training.paper.jobs import Workplace
from training.paper.rows import Row
from training.registry.database import registry_url

PLAIN: dict[str, Any] = {
    "dimensions": 16, "heads": 2, "layers": 1, "epochs": 2, "batch_size": 16,
    "learning_rate": 0.005,
}  # fmt: skip
COVE: dict[str, Any] = PLAIN | {"alpha": SMALL["alpha"], "initialization": "sample"}


def small_rows() -> list[Row]:
    """Two baselines, FANS without and with COVE, and codes of the trained plain model."""
    return [
        Row("most_popular", "Most popular", "baselines", "most_popular"),
        Row("ease", "EASE", "baselines", "ease"),
        Row("fans", "FANS", "plain", "fans", PLAIN),
        Row("fans_cove", "COVE on FANS", "cove", "fans", COVE, CODE_SIZES, base="fans"),
        Row(
            "fans_kmeans_codes", "FANS, k-means codes", "controls", "fans",
            PLAIN | {"alpha": 1.0}, CODE_SIZES, base="fans", codes_from="fans",
        ),
    ]  # fmt: skip


def workplace_at(output: Path, file: Path) -> Workplace:
    """A workplace on the CPU for a file of lists."""
    output.mkdir(parents=True, exist_ok=True)
    return Workplace(str(file), None, output, registry_url(output), "cpu", {"min_count": 1})
