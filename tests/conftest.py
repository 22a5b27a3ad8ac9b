"""What every test shares: where the real data lie."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """Give the folder of one real data set, or skip the test, with the reason, where it is absent."""
    root = Path(os.environ.get("COVE_TEST_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"the data set {name} is not under {root} (set COVE_TEST_DATA)")
        return root / name

    return folder
