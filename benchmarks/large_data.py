"""Interactions larger than memory: prepared within a limit, and trained on beside data in memory.

    python -m benchmarks.large_data --interactions 100000000 --folder DIR

The interactions are made: 20 a user and 200 an item in the mean, users with few and with many,
items by Zipf's law (the share of the r-th is as 1 / r), a rating, a time; 5 % to 10 % are pairs
that come twice. Prints, with the machine and the versions:

- `cove data prepare` in a memory cgroup (v1 or v2) of `--limit` GiB where one can be made, which
  also limits the page cache, else without: its time, its peak of anonymous and of all resident
  memory, looked at 20 times a second, and the disk that it takes at most;
- steps of BPRMF (D = 64, batches of 1,024) on the prepared folder and on the same interactions in
  memory, taking turns: samples a second and a CPU-second, medians over the turns, and their ratio.
  What the side in memory does once an epoch (negatives, shuffle) counts by a turn's share of it;
- the same without a model, of the batches alone.

DIR takes about 70 bytes an interaction, and is emptied in the end unless `--keep` is given.
"""

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.machine import described

WORKER = (sys.executable, "-m", "benchmarks.large_data_worker")
PREPARE = (sys.executable, "-m", "training.cli", "data", "prepare")
GROUPS = Path("/sys/fs/cgroup")
LOOK_SECONDS = 0.05
MIB = 2**20


class Peak(threading.Thread):
    """Watches a process and a folder: the most resident memory, the part that is no file, disk."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        super().__init__(daemon=True)
        self.process, self.folder = process, folder
        self.anonymous = self.resident = self.disk = 0

    def run(self) -> None:
        """Look until the process is gone."""
        looks = 0
        while self.process.poll() is None:
            try:
                lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            except OSError:
                return
            fields = dict(line.split(":", 1) for line in lines)
            self.resident = max(self.resident, _bytes(fields.get("VmHWM")))
            self.anonymous = max(self.anonymous, _bytes(fields.get("RssAnon")))
            if looks % 20 == 0:
                self.disk = max(self.disk, size_of(self.folder))
            looks += 1
            time.sleep(LOOK_SECONDS)


def _bytes(field: str | None) -> int:
    """A field of /proc/PID/status, which a process that has ended lacks."""
    return 0 if field is None else int(field.split()[0]) * 1024


def size_of(folder: Path) -> int:
    """Bytes that a folder's files take; those that vanish meanwhile take none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total


@contextmanager
def memory_group(limit: int) -> Iterator[Path | None]:
    """A cgroup of so many bytes of memory, page cache included; None where none can be made."""
    v1 = (GROUPS / "memory").is_dir()
    group = (GROUPS / "memory" if v1 else GROUPS) / f"cove-large-data-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if v1 else "memory.max")).write_text(str(limit))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        time.sleep(1)  # the last process of a group leaves it a moment after it ended
        group.rmdir()


def prepare(source: Path, output: Path, limit: int) -> None:
    """Prepare and print what that took."""
    with memory_group(limit) as group:
        join = "" if group is None else f"echo $$ > {group}/cgroup.procs && "
        before, began = size_of(output.parent), time.perf_counter()
        shell = f'{join}exec "$@"'
        with subprocess.Popen(["sh", "-c", shell, "sh", *PREPARE, source, "--kind", "interactions",
                               "--output", output]) as process:  # fmt: skip
            peak = Peak(process, output.parent)
            peak.start()
            status = process.wait()
        took = time.perf_counter() - began
        peak.join()
        if status:
            raise SystemExit(f"preparing failed: {status}")
        if group is None:
            print("no memory cgroup could be made: without a limit")
        else:
            failed = group / "memory.failcnt"
            times = f", reached {failed.read_text().strip()} times" if failed.exists() else ""
            print(f"in a cgroup of {limit / MIB:,.0f} MiB, page cache included{times}")
    print(
        f"prepared in {took:.0f} s: at most {peak.anonymous / MIB:,.0f} MiB anonymous, "
        f"{peak.resident / MIB:,.0f} MiB resident, {(peak.disk - before) / MIB:,.0f} MiB of disk "
        f"beside the source; the folder has {size_of(output) / MIB:,.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Make, prepare, train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--interactions", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="a folder that may be emptied")
    parser.add_argument("--limit", type=float, default=4, help="GiB to prepare within")
    parser.add_argument("--turns", type=int, default=3, help="of each side")
    parser.add_argument("--keep", action="store_true", help="the folder, for another run")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(
        f"{described('polars', 'torch', 'numpy')}; {psutil.virtual_memory().total / 2**30:.0f} GiB",
        flush=True,
    )
    source, output = arguments.folder / "made.csv", arguments.folder / "prepared"
    try:
        if not source.exists() and not output.exists():
            subprocess.run([*WORKER, "make", source, str(arguments.interactions)], check=True)
        if not output.exists():
            print(f"{source.name}: {source.stat().st_size / MIB:,.0f} MiB", flush=True)
            prepare(source, output, int(arguments.limit * 2**30))
        subprocess.run([*WORKER, "train", output, str(arguments.turns)], check=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
