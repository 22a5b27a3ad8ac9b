"""A registry of its own for each test, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.registry.database import downgrade, upgrade
from training.registry.queries import Registry


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.sqlite3'}"
        return
    address = request.getfixturevalue("postgres").url
    downgrade(address, "base")
    yield address
    downgrade(address, "base")


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    """An empty registry."""
    upgrade(url)
    with Registry(url) as registry:
        yield registry


@pytest.fixture
def start(registry: Registry) -> Callable[..., str]:
    """Start a run whose particulars do not matter."""

    def start_run(run_id: str | None = None, **changes: object) -> str:
        facts = {
            "task": "list_completion", "recommender": "fans", "data_name": "toy", "seed": 0,
            "settings": {"epochs": 3}, "settings_hash": "0", "output": "there",
        }  # fmt: skip
        return registry.start_run(**(facts | changes), run_id=run_id)

    return start_run
