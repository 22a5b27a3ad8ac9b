"""What a server needs: memory by the size of the catalogue, CPU time of a request.

    python -m benchmarks.serving_size

For each size an artifact with random weights is written (FANS, 64 dimensions, COVE with 500 and 10
codes) and served by `python -m app` in a process of its own, which a client asks to complete
lists of 10 items over one connection. Prints the machine and the versions; for each size the
memory of the server once it is ready and at its highest, its CPU milliseconds a request (median
over the rounds) and thereby the requests that one core answers in a second; and what each further
million items takes, from the smallest and the largest size.
"""

import argparse
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import described  # first: cove sets how OpenMP's threads wait

# isort: split
import httpx
import torch

from cove.artifact import Manifest, write_artifact
from cove.entity_tables import entity_tables
from cove.quantization import QuantizerSettings, code_use
from cove.recommenders import build_recommender
from cove.vocabulary import Vocabulary

CODE_SIZES, LENGTH, K = (500, 10), 10, 10
SETTINGS = {"dimensions": 64, "max_length": 60}
TICKS = os.sysconf("SC_CLK_TCK")


def write(folder: Path, num_items: int) -> None:
    """Write an artifact of a catalogue of that size."""
    torch.manual_seed(0)
    quantizer = QuantizerSettings(code_sizes=CODE_SIZES, initialization="sample")
    recommender = build_recommender("fans", SETTINGS, num_items, quantizer).eval()
    recommender.items.start_codes(0)
    popularity = torch.arange(num_items, 0, -1)
    tables = entity_tables(recommender.items, Vocabulary(range(num_items)), popularity)
    manifest = Manifest(
        task="list_completion", recommender="fans", settings=SETTINGS,
        quantizers={"item": quantizer.model_dump()}, training={}, num_items=num_items, counts={},
        data_name="random", data_sha256="0", seed=0, epochs=0, metrics={},
        code_use={"item": code_use(tables.codes, CODE_SIZES)}, code_version="",
    )  # fmt: skip
    write_artifact(folder / "model", manifest, recommender, {"item": tables})


class Server:
    """`python -m app` on a folder of artifacts, as long as the block lasts."""

    def __init__(self, artifacts: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"COVE_ARTIFACTS": str(artifacts), "COVE_PORT": str(port)}
        self.address = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app"], env=os.environ | settings, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> "Server":
        with httpx.Client(base_url=self.address) as client:
            while not _is_ready(client):
                if self._process.poll() is not None:
                    raise SystemExit("the server ended: run `python -m app` to see why")
                time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def memory(self, name: str) -> float:
        """A line of the process's status, like VmRSS, in MiB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise KeyError(name)

    def cpu_seconds(self) -> float:
        """CPU time of the process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def measure(num_items: int, rounds: int, requests: int) -> tuple[float, float, float]:
    """Memory of a server when ready and at its highest, in MiB; CPU milliseconds a request."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), num_items)
        with Server(Path(folder)) as server, httpx.Client(base_url=server.address) as client:
            ready = server.memory("VmRSS")
            times = []
            for _ in range(rounds + 1):  # the first is a warm-up
                before = server.cpu_seconds()
                for _ in range(requests):
                    body = {"items": draw.sample(range(num_items), LENGTH), "k": K}
                    client.post("/complete-list", json=body).raise_for_status()
                times.append(1000 * (server.cpu_seconds() - before) / requests)
            return ready, server.memory("VmHWM"), statistics.median(times[1:])


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", default="10000,100000,1000000", help="sizes, commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200, help="of a round")
    arguments = parser.parse_args()
    sizes = sorted(int(size) for size in arguments.items.split(","))
    print(f"{described('torch', 'fastapi')}; FANS, D = 64, lists of {LENGTH}, k = {K}")
    print("\n| items | MiB, ready | MiB, highest | CPU ms a request | requests a second a core |")
    print("| --- | --- | --- | --- | --- |")
    found = {}
    for size in sizes:
        ready, highest, cpu = found[size] = measure(size, arguments.rounds, arguments.requests)
        print(f"| {size:,} | {ready:.0f} | {highest:.0f} | {cpu:.2f} | {1000 / cpu:.0f} |")
    millions = (sizes[-1] - sizes[0]) / 1e6
    if millions:
        more = (found[sizes[-1]][0] - found[sizes[0]][0]) / millions
        print(f"\n{more:.0f} MiB for each further million items")


if __name__ == "__main__":
    main()
