"""What a completion costs over HTTP, beside the same server's empty call and the bare model.

    python -m benchmarks.serving --recommenders fans,sasrec --items 36000
    python -m benchmarks.serving --soak 600 --recommenders sasrec --items 36000

The server has one core, its client the other. Artifacts are random: N items, D = 64, lists of 5 to
30 items, k = 10. In one run, taking turns, medians over the repeats, CPU microseconds a list:

- `bare`: `recommender.complete` on batches of 64 lists (of 256 for a batch call), nothing else;
- `empty`: requests with the same body to a call that checks it and answers an empty completion;
- `served`: `POST /complete-list` at 64 connections, closed loop, with calls a second, p50, p99;
- `batch`: one call of 256 lists, one after the other.

The aims: served at most 1.3 × (empty + bare), batch at most 1.2 × bare. `--soak SECONDS` asks at
70 % of the closed loop's rate (open loop) and reports errors, p99 and how memory grew since a first
half minute, before which 256 connections asked at once: memory is then at the height that a pile-up
brings it to, and what grows later grows without end.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.http_load import MOST_CONNECTIONS, Load, closed_loop, open_loop, wait_until_ready
from benchmarks.machine import described

K, BATCH, MANY, CONNECTIONS = 10, 64, 256, 64
SERVER_CORE, CLIENT_CORE = 0, 1
_SPAN = 10.0
"""Seconds: what a neighbour of a virtual machine does shows in few of them."""
WORKER = (sys.executable, "-m", "benchmarks.serving_worker")


def bodies(num_items: int, count: int, seed: int = 0) -> list[list[str]]:
    """Lists of ids, alike in every part of a run."""
    chance = random.Random(seed)
    return [
        [str(chance.randrange(num_items)) for _ in range(chance.randint(5, 30))]
        for _ in range(count)
    ]


@contextmanager
def server(artifacts: Path, port: int) -> Iterator[psutil.Process]:
    """A server of the artifacts on its core, with the call `/empty`."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving_worker",
        "serve",
        str(artifacts),
        str(port),
    ]
    with subprocess.Popen(command, env=os.environ | {"COVE_LOG_LEVEL": "info"},
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        try:
            pinned = psutil.Process(process.pid)
            pinned.cpu_affinity([SERVER_CORE])
            wait_until_ready(port, seconds=120)
            yield pinned
        finally:
            process.terminate()


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


def bare(artifacts: Path, num_items: int, batch: int) -> float:
    """CPU microseconds a list of the model alone, in a process of its own on the server's core."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving_worker",
        "bare",
        str(artifacts),
        str(batch),
    ]
    lists = json.dumps(bodies(num_items, 512))
    done = subprocess.run(
        ["taskset", "-c", str(SERVER_CORE), *command],
        input=lists, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def loaded(process: psutil.Process, port: int, path: str, requests: list[dict], seconds: float,
           connections: int) -> tuple[Load, float]:  # fmt: skip
    """A closed loop, and the server's CPU microseconds a request."""
    closed_loop(port, path, requests, 1.0, connections)  # warm
    before = cpu_seconds(process)
    load = closed_loop(port, path, requests, seconds, connections)
    return load, (cpu_seconds(process) - before) / max(1, load.count) * 1e6


def compare(name: str, num_items: int, arguments: argparse.Namespace) -> None:
    """Print a row of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        make_artifact(Path(folder) / "model", name, num_items)
        lists = bodies(num_items, 512)
        ones = [{"items": each, "k": K} for each in lists]
        many = [{"lists": lists[:MANY], "k": K}]
        with server(Path(folder), arguments.port) as process:
            for _ in range(arguments.repeats):
                alone = [bare(Path(folder) / "model", num_items, size) for size in (BATCH, MANY)]
                ask = (process, arguments.port)
                _, empty = loaded(*ask, "/empty", ones, arguments.seconds, CONNECTIONS)
                load, served = loaded(*ask, "/complete-list", ones, arguments.seconds, CONNECTIONS)
                _, batch = loaded(*ask, "/complete-list", many, arguments.seconds, 1)
                rows.append((*alone, empty, served, batch / MANY, load.rate, load.p50, load.p99,
                             served / (empty + alone[0]), batch / MANY / alone[1]))  # fmt: skip
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    cells = [f"{value:.0f}" for value in middle[:6]] + [f"{value:.1f}" for value in middle[6:8]]
    print("|", " | ".join([name, f"{num_items:,}", *cells, *(f"{v:.2f}" for v in middle[8:])]), "|",
          flush=True)  # fmt: skip


def soak(name: str, num_items: int, arguments: argparse.Namespace) -> None:
    """Print what happens in an open loop at 70 % of what the closed loop reached."""
    with tempfile.TemporaryDirectory() as folder:
        make_artifact(Path(folder) / "model", name, num_items)
        ones = [{"items": each, "k": K} for each in bodies(num_items, 512)]
        with server(Path(folder), arguments.port) as process:
            load, _ = loaded(process, arguments.port, "/complete-list", ones, 10, CONNECTIONS)
            rate = 0.7 * load.rate
            closed_loop(arguments.port, "/complete-list", ones, 5, MOST_CONNECTIONS)
            open_loop(arguments.port, "/complete-list", ones, min(30.0, arguments.soak), rate)
            before = process.memory_info().rss
            found = open_loop(arguments.port, "/complete-list", ones, arguments.soak, rate)
            grown = process.memory_info().rss / before - 1
    spans = found.p99_of_each(_SPAN)
    print(
        f"{name}, {num_items:,} items: {found.count} calls at {rate:.0f} a second (70 % of "
        f"{load.rate:.0f}) for {arguments.soak:.0f} s: {found.errors} errors, "
        f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms (of each {_SPAN:.0f} s: median "
        f"{statistics.median(spans):.1f}, worst {max(spans):.1f}, over 50 in "
        f"{sum(each > 50 for each in spans)} of {len(spans)}), "
        f"memory {before / 2**20:.0f} MiB, grown {grown:+.2%}"
    )


def make_artifact(directory: Path, name: str, num_items: int) -> None:
    """Write a random artifact, in a process of its own."""
    subprocess.run([*WORKER, "make", str(directory), name, str(num_items)], check=True)


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recommenders", default="fans,sasrec")
    parser.add_argument("--items", default="6000,36000,100000,1000000")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each closed loop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of open loop instead")
    parser.add_argument("--port", type=int, default=8123)
    arguments = parser.parse_args()
    psutil.Process().cpu_affinity([CLIENT_CORE])
    print(described("torch", "uvicorn", "fastapi"), flush=True)
    if not arguments.soak:
        titles = (
            "recommender", "items", "bare 64 µs", "bare 256 µs", "empty µs", "served µs",
            "batch µs", "calls/s", "p50 ms", "p99 ms", "served ratio", "batch ratio",
        )  # fmt: skip
        print("|", " | ".join(titles), "|\n" + "| --- " * len(titles) + "|")
    for name in arguments.recommenders.split(","):
        for num_items in map(int, arguments.items.split(",")):
            (soak if arguments.soak else compare)(name, num_items, arguments)


if __name__ == "__main__":
    main()
