"""A catalogue of ten million items, written and served on this machine.

    python -m benchmarks.large_catalogue --items 10000000 --folder DIR

The table is random, with a structure that recall can be asked of: 200 items lie about each of
N / 200 centres (length 1, the items off it by 0.5), D = 64, and an item's bias is the log of a
popularity that falls off as 1 / √share. The recommender is `bag`; lists are 5 to 30 items of one
centre, as are those that the index was made for. Prints, with the machine and the versions:

- the time to make the artifact, its size on disk, what the index is;
- the time until the server answers, and its memory: resident, and its own (not of mapped files);
- p50, p99 and CPU time of `POST /complete-list`, one list a call, k = 10, one connection;
- recall@10 of the answers against the exact ten best of the same lists;
- what browsing takes at first and again.

DIR takes about 4 GB for ten million items, and is emptied in the end unless `--keep` is given.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import psutil

from benchmarks.http_load import Load, closed_loop
from benchmarks.large_catalogue_worker import K, lists_of
from benchmarks.machine import described
from benchmarks.serving import cpu_seconds, server

WORKER = (sys.executable, "-m", "benchmarks.large_catalogue_worker")
BROWSED = (
    "/codes",
    "/codes/1?limit=100&sort=size",
    "/codes/1/7",
    "/codes/1/7/items",
    "/codes/2/7",
    "/items?search=item+12345",
    "/items?search=nothing+like+it",
    "/items/{item}",
    "/items/{item}?similar=0",
)


def seconds_of(path: str, port: int) -> float:
    """How long a GET takes."""
    began = time.perf_counter()
    urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300).read()
    return time.perf_counter() - began


def browse(port: int, item: str) -> None:
    """Print what each page takes, asked first and the median of five more."""
    print("\n| page | first, ms | again, ms |\n| --- | --- | --- |")
    for template in BROWSED:
        path = template.format(item=urllib.parse.quote(item))
        first, *again = (seconds_of(path, port) * 1e3 for _ in range(6))
        print(f"| `{template}` | {first:.0f} | {statistics.median(again):.0f} |", flush=True)


def memory(process: psutil.Process) -> str:
    """Resident memory and the part that is no mapped file, in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    found = {name: int(rest.split()[0]) / 1024 for name, _, rest in
             (line.partition(":") for line in lines) if name in {"VmRSS", "RssAnon"}}  # fmt: skip
    return f"{found['VmRSS']:,.0f} MiB resident, {found['RssAnon']:,.0f} MiB of them its own"


def measure(folder: Path, num_items: int, port: int, calls: int) -> None:
    """Serve the artifact and print the figures."""
    bodies = [{"items": each, "k": K} for each in lists_of(num_items, 512)]
    began = time.perf_counter()
    with server(folder, port) as process:
        print(f"ready after {time.perf_counter() - began:.1f} s: {memory(process)}", flush=True)
        closed_loop(port, "/complete-list", bodies, 5.0, 1)  # pages come from disk
        load, before = Load(0.0), cpu_seconds(process)
        while load.count < calls:
            part = closed_loop(port, "/complete-list", bodies, 5.0, 1)
            load.seconds += part.seconds
            load.took += part.took
            load.errors += part.errors
        each = (cpu_seconds(process) - before) / load.count * 1e3
        print(
            f"one list a call: {load.count} calls, {load.errors} errors, p50 {load.p50:.1f} ms, "
            f"p99 {load.p99:.1f} ms, {each:.1f} ms of CPU time each; then {memory(process)}"
        )
        browse(port, bodies[0]["items"][0])
        print(f"\nafter browsing {memory(process)}")


def main() -> None:
    """Make, serve, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="a folder that may be emptied")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--port", type=int, default=8124)
    parser.add_argument("--keep", action="store_true", help="the artifact, for another run")
    arguments = parser.parse_args()
    print(f"{described('torch', 'faiss-cpu')}; {arguments.items:,} items")
    model = arguments.folder / "model"
    if not model.exists():
        subprocess.run([*WORKER, "make", str(model), str(arguments.items)], check=True)
    size = sum(path.stat().st_size for path in model.iterdir())
    print(f"on disk {size / 2**20:,.0f} MiB", flush=True)
    try:
        measure(arguments.folder, arguments.items, arguments.port, arguments.calls)
        subprocess.run([*WORKER, "recall", str(model), str(arguments.items)], check=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(model)


if __name__ == "__main__":
    main()
