"""Memory that a step frees stays with the process, where glibc is; elsewhere nothing happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.worlds import run_at, small_settings
from training import memory, preparing

FAULTS = """
import resource
from training.memory import keep_freed_memory
kept = keep_freed_memory()
faults = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(1 << 26)
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
def test_a_block_that_was_freed_is_used_again_without_asking_the_system() -> None:
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


def test_a_run_asks_for_it_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(preparing, "keep_freed_memory", lambda: calls.append(None))
    run_at(tmp_path / "model", small_settings(tiny))
    assert len(calls) == 1
