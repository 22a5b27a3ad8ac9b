"""A real server of a folder of artifacts, in a thread of the tests."""

import threading
from pathlib import Path
from typing import Self

import uvicorn

from app.main import create_app
from app.settings import Settings

ADMIN_KEY = "the-admin"


class RunningServer:
    """uvicorn on a free port as long as the block lasts; `address` is where it listens."""

    def __init__(self, artifacts: Path) -> None:
        app = create_app(Settings(artifacts=artifacts, admin_key=ADMIN_KEY))
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run)
        self.address = ""

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            self._thread.join(0.05)
        (socket,) = self._server.servers[0].sockets
        self.address = f"http://127.0.0.1:{socket.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
