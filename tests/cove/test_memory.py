"""Memory that a step or an answer frees stays with the process, where glibc is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cove import memory

FAULTS = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from cove.memory import keep_freed_memory
kept = keep_freed_memory(one_arena=True)
in_a_thread = ThreadPoolExecutor(1).submit
faults = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    in_a_thread(bytearray, 1 << 26).result()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(int(kept), *faults)
"""
PAGES = (1 << 26) // os.sysconf("SC_PAGE_SIZE")


def faults(**variables: str) -> tuple[bool, list[int]]:
    """Whether memory is kept, and the page faults of each of three blocks of 64 MiB."""
    others = {k: v for k, v in os.environ.items() if k not in memory.MALLOC_VARIABLES}
    found = subprocess.run(
        [sys.executable, "-c", FAULTS],
        capture_output=True,
        text=True,
        check=True,
        env=others | variables,
        cwd=Path(__file__).resolve().parents[2],
    )
    kept, *each = map(int, found.stdout.split())
    return bool(kept), each


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is on Linux")
def test_a_block_that_a_thread_freed_is_used_again_without_asking_the_system() -> None:
    kept, (_, *later) = faults()
    if not kept:
        pytest.skip("the C library is not glibc")
    assert max(later) < PAGES // 10


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is on Linux")
def test_what_a_person_set_for_malloc_is_left_alone() -> None:
    kept, each = faults(MALLOC_MMAP_THRESHOLD_="65536")
    assert not kept
    assert min(each) >= PAGES // 16  # or mapped in larger pages, but anew each time


def test_nothing_happens_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: pytest.fail("no library to ask"))
    assert memory.keep_freed_memory() is False


def test_nothing_happens_with_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in memory.MALLOC_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed_memory() is False
