"""Runs the server: one process, or several that share a port and their metrics."""

import os
import socket
import tempfile

import uvicorn
from fastapi import FastAPI

from app.keys import read_keys
from app.logs import write_logs
from app.settings import Settings, read_settings
from cove.errors import SettingsError
from cove.memory import keep_freed_memory

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
"""Longer than proxies commonly keep a connection: they, not the server, are to close it."""
_SILENT_WORKER_SECONDS = 60
"""After which a worker that does not answer its parent is replaced: busy ones may take long."""

_KEPT_BYTES = 1 << 27
"""Free memory that a process keeps: the scores and states of a batch, several times over."""


def need_address(settings: Settings) -> None:
    """Refuse an address that cannot be listened on, before anything is loaded.

    Raises:
        SettingsError: one sentence on why.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        number = error.errno or 0  # negative where a name has no address
        reason = os.strerror(number) if number > 0 else error.strerror
        raise SettingsError(
            f"the server cannot listen on {settings.host}:{settings.port}: {reason}; name another "
            "with --port or COVE_PORT"
        ) from None


def serve(settings: Settings) -> None:
    """Serve until told to stop; calls in progress are then answered first.

    Raises:
        SettingsError: the keys cannot be read.
    """
    read_keys(settings)  # before there are workers that would each say so
    write_logs(settings.log_level)
    if settings.workers == 1:
        run(application(settings), settings)
        return
    given = {"ARTIFACTS": settings.artifacts, "HOST": settings.host, "PORT": settings.port}
    os.environ |= {f"COVE_{name}": str(value) for name, value in given.items()}
    with tempfile.TemporaryDirectory(prefix="cove-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        run("app.server:worker", settings)


def worker() -> FastAPI:
    """The application of one worker of several, by the settings of the environment."""
    settings = read_settings()
    write_logs(settings.log_level)
    app = application(settings)
    from app.metrics import forget_dead_workers  # noqa: PLC0415 - after `application`, as there

    forget_dead_workers()
    return app


def application(settings: Settings) -> FastAPI:
    """The application of this process, which keeps memory for one answer after the other."""
    keep_freed_memory(_KEPT_BYTES, one_arena=True)
    from app.main import create_app  # noqa: PLC0415 - loads torch, which the parent does not need

    return create_app(settings)


def run(app: FastAPI | str, settings: Settings) -> None:
    """Run an application, or that of a factory's name, until told to stop."""
    uvicorn.run(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=_SILENT_WORKER_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
    )
