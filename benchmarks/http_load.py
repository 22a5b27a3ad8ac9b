"""A small HTTP client that keeps connections busy: closed loops and open loops."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

import uvloop

MOST_CONNECTIONS = 256
"""Of an open loop: more calls than that do not pile up at the server."""


@dataclass
class Load:
    """What came of a load. Milliseconds."""

    seconds: float
    took: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    """Seconds, by a clock of its own, in the order of `took`."""
    errors: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Calls answered."""
        return len(self.took)

    @property
    def rate(self) -> float:
        """Calls answered a second."""
        return self.count / self.seconds

    @property
    def p50(self) -> float:
        """The median."""
        return _share(self.took, 0.5)

    @property
    def p99(self) -> float:
        """What one call in a hundred exceeds."""
        return _share(self.took, 0.99)

    def p99_of_each(self, seconds: float) -> list[float]:
        """The same of the calls that began in each span of so many seconds."""
        spans: dict[int, list[float]] = {}
        first = min(self.began, default=0.0)
        for began, took in zip(self.began, self.took, strict=True):
            spans.setdefault(int((began - first) // seconds), []).append(took)
        return [_share(each, 0.99) for each in spans.values()]


def _share(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


class Connection:
    """One connection to 127.0.0.1, kept open."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> None:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request, anew where the server had closed the idle connection."""
        if self.reader.at_eof():
            await self.open()
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(each[15:]) for each in lines if each.startswith(b"content-length:"))
        return int(head[9:12]), await self.reader.readexactly(length)


def encoded(path: str, bodies: Sequence[dict]) -> list[bytes]:
    """Whole requests."""
    found = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\n\r\n")  # fmt: skip
        found.append(head.encode() + content)
    return found


async def _one(connection: Connection, request: bytes, load: Load, began: float) -> None:
    try:
        status, _ = await connection.ask(request)
    except (OSError, asyncio.IncompleteReadError):
        load.errors += 1
        await connection.open()
        return
    load.took.append((time.perf_counter() - began) * 1e3)
    load.began.append(began)
    load.statuses[status] = load.statuses.get(status, 0) + 1
    load.errors += status != 200


def closed_loop(
    port: int, path: str, bodies: Sequence[dict], seconds: float, connections: int
) -> Load:
    """Every connection asks again as soon as it is answered."""
    requests, load = encoded(path, bodies), Load(seconds)

    async def client(place: int) -> None:
        connection = Connection(port)
        await connection.open()
        for request in islice(cycle(requests), place, None):
            if (began := time.perf_counter()) >= end:
                break
            await _one(connection, request, load, began)
        connection.writer.close()

    async def run() -> None:
        nonlocal end
        end = time.perf_counter() + seconds
        await asyncio.gather(*map(client, range(connections)))

    end = 0.0
    uvloop.run(run())
    return load


def open_loop(port: int, path: str, bodies: Sequence[dict], seconds: float, rate: float) -> Load:
    """Calls begin at a fixed rate, however long answers take; a late start counts as waiting."""
    requests, load = encoded(path, bodies), Load(seconds)

    async def client(free: asyncio.LifoQueue[Connection], request: bytes, began: float) -> None:
        connection = await free.get()
        try:
            await _one(connection, request, load, began)
        finally:
            free.put_nowait(connection)

    async def run() -> None:
        free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()  # what is idle is closed
        for _ in range(MOST_CONNECTIONS):
            connection = Connection(port)
            await connection.open()
            free.put_nowait(connection)
        start, running = time.perf_counter(), set()
        for place, request in enumerate(islice(cycle(requests), int(seconds * rate))):
            due = start + place / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(client(free, request, due))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    uvloop.run(run())
    return load


def wait_until_ready(port: int, seconds: float) -> None:
    """Wait for /readyz to say so."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
