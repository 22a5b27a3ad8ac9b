"""Servers as people run them: `cove serve` in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ADMIN = {"Authorization": "Bearer the-admin"}


@dataclass
class Server:
    """A server that runs: where it is, its process, and what it has logged."""

    port: int
    process: psutil.Process
    log: Path

    @property
    def address(self) -> str:
        """Where calls go."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, where there are several."""
        return [each for each in self.process.children() if _is_worker(each)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has ended
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(artifacts: Path, **settings: object) -> Iterator[Server]:
    """A server of a folder of artifacts for as long as the block lasts; settings as variables."""
    port, log = free_port(), artifacts / "server.log"
    given = {f"COVE_{name.upper()}": str(value) for name, value in settings.items()}
    environment = os.environ | {"COVE_ADMIN_KEY": "the-admin"} | given
    command = [sys.executable, "-m", "training.cli", "serve", "--artifacts", str(artifacts)]
    with log.open("w") as output:
        process = psutil.Popen([*command, "--port", str(port)], env=environment, stderr=output,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    server = Server(port, process, log)
    try:
        wait_for(lambda: is_ready(server.address), 60)
        yield server
    finally:
        with suppress(psutil.NoSuchProcess):  # the test has ended it
            process.terminate()
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            for each in (*process.children(recursive=True), process):
                each.kill()


def is_ready(address: str) -> bool:
    """Whether a server says that it is ready."""
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition, seconds: float) -> None:
    """Wait until a condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.05)
