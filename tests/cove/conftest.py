"""What the tests of artifacts share."""

from pathlib import Path

import pytest

from tests.cove.artifacts import recommender_with, write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A written artifact with COVE."""
    write(tmp_path / "made", recommender_with("nearest, direct"), "fans")
    return tmp_path / "made"
