"""Debian's PostgreSQL, started for the tests by a user without rights, in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of a server, by version."""
_ACCOUNT = "postgres"
"""Who runs the server where the tests run as root, which it refuses."""


class PostgresServer:
    """A server that listens on a socket in its folder; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.url = f"postgresql://{_ACCOUNT}@/postgres?host={folder}"
        self._programs = programs
        self._folder = folder
        self._data = str(folder / "data")
        self._account = _ACCOUNT if os.geteuid() == 0 else None

    def create(self) -> None:
        """Make the database cluster."""
        options = ["--username", _ACCOUNT, "--auth", "trust", "--no-sync", "--encoding", "UTF8"]
        self._run("initdb", "--pgdata", self._data, *options)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", log, "-o", settings)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` ends its sessions, `immediate` is a crash."""
        self._run("pg_ctl", "stop", "-w", "-D", self._data, "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._account, group=self._account, extra_groups=[] if self._account else None,
            cwd=self._folder, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version; None where there is none."""
    found = sorted(_PACKAGED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of an empty database; where PostgreSQL is not installed the test is skipped."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="cove-postgres-"))  # the path of a socket is short
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT, _ACCOUNT)
        server = PostgresServer(programs, folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)
