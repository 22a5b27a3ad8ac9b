"""What every test shares: where the real data lie, and a PostgreSQL server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer, running_postgres

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """Give the folder of a real data set; where it is absent the test is skipped, with why."""
    root = Path(os.environ.get("COVE_TEST_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"the data set {name} is not under {root} (set COVE_TEST_DATA)")
        return root / name

    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of a process; who uses its database empties it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real server listens that serves a model for each task, of two for lists."""
    # Imported here: most tests do without the server.
    from tests.app.conftest import (  # noqa: PLC0415
        make_artifact,
        make_click_artifact,
        make_preference_artifact,
    )
    from tests.servers import RunningServer  # noqa: PLC0415

    root = tmp_path_factory.mktemp("served")
    make_artifact(root / "lists")
    make_artifact(root / "other", seed=1)
    make_click_artifact(root / "clicks")
    make_preference_artifact(root / "recommend")
    with RunningServer(root) as server:
        yield server.address


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With COVE_NO_SKIPS, as in CI, a skipped test fails the run: there it should have run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [] if reporter is None else reporter.stats.get("skipped", [])
    if os.environ.get("COVE_NO_SKIPS") and skipped:
        reporter.write_line("COVE_NO_SKIPS is set, and these tests were skipped:", red=True)
        for report in skipped:
            reporter.write_line(f"  {report.nodeid}: {report.longrepr[-1]}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
