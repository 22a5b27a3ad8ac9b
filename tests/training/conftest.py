"""Property tests have no deadline: a busy machine is not an error. Training leaves no trace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from cove.artifact import Manifest
from tests.training.worlds import planted_file, run_at, small_settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """One thread while these tests run: a sum over threads is another number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _torch_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("COVE_DATABASE_URL", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 60 lists from planted groups."""
    return planted_file(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def unbroken(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """An artifact of one unbroken run, and what the run gave back."""
    output = tmp_path_factory.mktemp("unbroken") / "model"
    return output, run_at(output, small_settings(tiny))
