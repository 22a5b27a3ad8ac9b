"""The first thing a newcomer runs, from raw files to an answer over HTTP."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.cli", "demo", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )


def get(address: str) -> dict[str, object]:
    with urllib.request.urlopen(address, timeout=30) as response:
        answer: dict[str, object] = json.load(response)
    return answer


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    yield number
    demo(tmp_path, "--stop")


def test_the_demo_trains_serves_completes_and_stops(
    data_folder: Callable[[str], Path], tmp_path: Path, port: int
) -> None:
    data = str(data_folder("ml100k"))
    first = demo(tmp_path, "--from", data, "--port", str(port))
    assert first.returncode == 0, first.stderr
    answer = first.stdout.partition("answered by fans-")[2]
    assert answer.count("shared with") == 5
    assert "Star Wars (1977)" not in answer  # given items are never returned
    levels = get(f"http://127.0.0.1:{port}/codes")["levels"]
    assert [level["size"] for level in levels] == [100, 10]
    assert all(level["used"] >= 0.9 * level["size"] for level in levels)

    again = demo(tmp_path, "--from", data, "--port", str(port))
    assert again.returncode == 0, again.stderr
    assert again.stdout.partition("answered by")[2] == first.stdout.partition("answered by")[2]
    assert "epoch 1/" not in again.stderr  # a second run is quick: nothing is trained again

    assert demo(tmp_path, "--stop").returncode == 0
    with pytest.raises(OSError, match="refused"):
        get(f"http://127.0.0.1:{port}/livez")


def test_a_taken_port_is_one_sentence_before_anything_is_trained(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = demo(tmp_path, "--port", port)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"cove: port {port} is taken")
