"""A real server with a model for each task, and clients of it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from cove_client import Client

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_artifact, make_click_artifact, make_preference_artifact


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server listens that serves a model for each task."""
    root = tmp_path_factory.mktemp("served")
    make_artifact(root / "lists")
    make_click_artifact(root / "clicks")
    make_preference_artifact(root / "recommend")
    with running(root) as address:
        yield address


def running(artifacts: Path) -> "RunningServer":
    """A server of a folder of artifacts."""
    return RunningServer(Settings(artifacts=artifacts))


class RunningServer:
    """uvicorn in a thread, on a free port, as long as the block lasts."""

    def __init__(self, settings: Settings) -> None:
        config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            self._thread.join(0.05)
        (socket,) = self._server.servers[0].sockets
        return f"http://127.0.0.1:{socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def cove(address: str) -> Iterator[Client]:
    """A client of the server."""
    with Client(address) as client:
        yield client
