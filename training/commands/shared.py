"""What the registry's commands share: their options, and an open registry."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cove.errors import SettingsError
from training.registry.database import registry_url, upgrade
from training.registry.errors import RegistryError
from training.registry.queries import Registry

_WIDEST = 1 << 16
"""Characters of a line that no person reads as it is."""


@contextmanager
def open_registry_of(artifacts: Path) -> Iterator[Registry]:
    """The registry of a folder of artifacts, its schema brought up and dead runs marked."""
    url = registry_url(artifacts)
    if "COVE_DATABASE_URL" not in os.environ and not artifacts.is_dir():
        raise RegistryError(f"there is no folder {artifacts}: name one with --artifacts")
    upgrade(url)
    with Registry(url) as registry:
        registry.mark_dead_runs()
        yield registry


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it; SettingsError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {folder}: {error.strerror}") from None


def columns(row: Any) -> dict[str, Any]:
    """A registry row as plain JSON values."""
    values = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in values.items()}


def headline(metrics: dict[str, float] | None) -> str:
    """The one metric that stands for a model in a row: AUC of clicks, NDCG@10 of lists."""
    name = next((each for each in ("auc", "ndcg_at_10") if each in (metrics or {})), None)
    return "" if metrics is None or name is None else f"{name} {metrics[name]:.4f}"


def print_table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Rows under titles, no cell shortened where the output is not a terminal."""
    table = Table(*titles, box=None)
    for row in rows:
        table.add_row(*map(Text, row))  # a bracket in a name is no markup
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDEST)
    console.print(table)
