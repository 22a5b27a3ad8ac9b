"""Training killed at random moments: nothing half done is left, and the end is the same."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cove.artifact import read_artifact
from tests.training.worlds import CODE_SIZES, OPTIONS, open_at, run_at, small_settings
from training.cli import main

EPOCHS = 30
KILLS = 20
MOMENTS = ["any", "training", "training", "writing"]
"""While the program loads or soon after; within the epochs; while the artifact is written."""


def start(call: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "training.cli", *call],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(moment: str, draw: random.Random, process: "subprocess.Popen[str]", at: Path) -> None:
    """Return at the moment, or when the process has ended before it."""
    if moment == "any":
        time.sleep(draw.uniform(0, 6))
    elif moment == "training":
        process.stderr.readline()  # type: ignore[union-attr]
        _drain(process)
        time.sleep(draw.uniform(0, 1.5))
    else:
        before = set(at.glob(".model.*.tmp"))
        _drain(process)
        while process.poll() is None and before >= set(at.glob(".model.*.tmp")):
            time.sleep(0.0005)
        time.sleep(draw.uniform(0, 0.03))


def _drain(process: "subprocess.Popen[str]") -> None:
    threading.Thread(target=process.stderr.read, daemon=True).start()  # type: ignore[union-attr]


def check_nothing_half_done(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The registry reads, shows no dead run as running, and the artifact is whole or absent."""
    registry = open_at(at)
    running = {run.id for run in registry.list_runs(state="running")}
    registry.close()
    capsys.readouterr()
    assert main(["runs", "list", "--artifacts", str(at), "--json"]) == 0
    runs = {run["id"]: run for run in json.loads(capsys.readouterr().out)}
    for run_id in running:
        assert (runs[run_id]["state"], runs[run_id]["reason"]) == ("failed", "the process died")
    assert {run["state"] for run in runs.values()} <= {"failed", "finished"}
    if (at / "model").exists():
        read_artifact(at / "model")


@pytest.mark.slow
def test_twenty_kills_leave_nothing_half_done_and_change_nothing(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = small_settings(tiny, epochs=EPOCHS, patience=EPOCHS)
    unbroken = run_at(tmp_path / "unbroken" / "model", settings)
    at = tmp_path / "killed"
    call = ["train", "fans", "--data", str(tiny), "--output", str(at / "model")]
    call += ["--cove", ",".join(map(str, CODE_SIZES)), *OPTIONS]
    call += ["--set", f"epochs={EPOCHS}", "--set", f"patience={EPOCHS}"]
    draw = random.Random(0)
    killed = finished = broken_off = 0
    while killed < KILLS:
        with start(call) as process:
            wait_for(draw.choice(MOMENTS), draw, process, at)
            process.kill()
        killed += process.returncode < 0
        broken_off += any(at.glob(".model.checkpoint/[0-9]*"))
        check_nothing_half_done(at, capsys)
        if (at / "model").exists():  # it was through: once more, from the beginning
            finished += 1
            assert read_artifact(at / "model").manifest.hash == unbroken.hash
            (at / "model").rename(tmp_path / f"finished {finished}")
    assert broken_off > KILLS // 4  # enough of them fell within the epochs
    again = run_at(at / "model", settings)
    assert again.hash == unbroken.hash
    assert again.files["weights.safetensors"] == unbroken.files["weights.safetensors"]
    registry = open_at(at)
    assert registry.get_run(str(again.run_id)).state == "finished"  # type: ignore[union-attr]
    registry.close()
