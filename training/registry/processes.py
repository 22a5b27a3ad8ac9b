"""Which process holds a run, and whether it still lives."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process on some host; `started` tells it from a later one with the same number."""

    host: str
    pid: int
    started: str
    """Clock ticks from boot to its start, and its pid namespace; empty where that is unknown."""


def this_process() -> Process:
    """The process that asks."""
    return Process(socket.gethostname(), os.getpid(), _started(os.getpid()) or "")


def is_gone(process: Process) -> bool | None:
    """Whether a process has ended; None where that cannot be told from here."""
    if process.host != socket.gethostname():
        return None
    _, _, namespace = process.started.partition(":")
    if process.started and namespace != _namespace():
        return None  # another container that has this host's name
    now = _started(process.pid)
    if now is None:
        return True
    return bool(now and process.started) and now != process.started


def _started(pid: int) -> str | None:
    """When a process began; None where there is none, empty where nothing tells."""
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if _exists(pid) else None
    fields = content[content.rindex(")") + 2 :].split()  # a program's name may hold anything
    return None if fields[0] in {"Z", "X"} else f"{fields[19]}:{_namespace()}"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's
    except OSError:
        return False
    return True


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""
