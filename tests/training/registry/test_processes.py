"""Several processes on one registry, and processes that are killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from training.registry import queries
from training.registry.database import open_registry
from training.registry.models import Run
from training.registry.processes import Process, is_gone, this_process
from training.registry.queries import Registry

START = (
    "import sys; from training.registry.queries import Registry; registry = Registry(sys.argv[1])\n"
    "run = registry.start_run(task='list_completion', recommender='fans', data_name='toy', seed=0,"
    " settings={}, settings_hash='0', output='there')\n"
)
HOLD = START + "print(run, flush=True)\nepoch = 0\nwhile True:\n"
HOLD += "    epoch += 1\n    registry.record_metrics(run, epoch, {'loss': 1.0, 'hit': 0.5})\n"
WRITE = START + "for epoch in range(1, 31): registry.record_metrics(run, epoch, {'loss': 1.0})\n"
WRITE += "registry.finish_run(run, 'fans-1', {'loss': 1.0})\n"


def launch(code: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def change_run(url: str, run: str, **values: object) -> None:
    engine = open_registry(url)
    with engine.begin() as connection:
        connection.execute(update(Run).where(Run.id == run).values(**values))
    engine.dispose()


def test_processes_that_write_at_once_lose_nothing(registry: Registry) -> None:
    writers = [launch(WRITE, registry.url) for _ in range(3)]
    errors = [writer.communicate()[1] for writer in writers]
    assert errors == [""] * 3
    runs = registry.list_runs()
    assert [(run.state, run.epochs) for run in runs] == [("finished", 30)] * 3
    for run in runs:
        assert [m.epoch for m in registry.run_metrics(run.id)] == list(range(1, 31))


def test_a_killed_process_leaves_a_readable_registry_and_a_failed_run(registry: Registry) -> None:
    holder = launch(HOLD, registry.url)
    run = holder.stdout.readline().strip()
    assert registry.mark_dead_runs() == []
    while len(registry.run_metrics(run)) < 10:
        assert holder.poll() is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert registry.mark_dead_runs() == [run]
    found = registry.get_run(run)
    assert (found.state, found.reason) == ("failed", "the process died")
    points = registry.run_metrics(run)
    epochs = list(range(1, found.epochs + 1))
    assert [m.epoch for m in points] == [epoch for epoch in epochs for _ in range(2)]
    assert registry.mark_dead_runs() == []
    facts = {
        "task": "list_completion", "recommender": "fans", "data_name": "toy", "seed": 0,
        "settings": {}, "settings_hash": "0", "output": "there",
    }  # fmt: skip
    assert registry.start_run(**facts, run_id=run) == run
    assert registry.mark_dead_runs() == []
    assert registry.get_run(run).state == "running"


def test_a_killed_process_that_nobody_waited_for_is_gone() -> None:
    child = launch("input()", "")
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie: still in /proc
    here = this_process()
    assert is_gone(Process(here.host, child.pid, here.started)) is True
    child.communicate()


def test_a_later_process_with_the_same_number_does_not_pass_for_the_run() -> None:
    here = this_process()
    ticks, _, namespace = here.started.partition(":")
    assert is_gone(here) is False
    assert is_gone(Process(here.host, here.pid, f"{int(ticks) - 1}:{namespace}")) is True


def test_a_process_of_another_host_or_container_cannot_be_judged_from_here() -> None:
    here = this_process()
    assert is_gone(Process("elsewhere", here.pid, here.started)) is None
    assert is_gone(Process(here.host, here.pid, "1:1")) is None


def test_a_process_whose_start_is_unknown_is_judged_by_its_number() -> None:
    child = launch("input()", "")
    host = socket.gethostname()
    assert is_gone(Process(host, child.pid, "")) is False
    child.kill()
    child.communicate()
    assert is_gone(Process(host, child.pid, "")) is True


def test_a_run_elsewhere_fails_after_ten_silent_minutes_and_revives_with_a_heartbeat(
    registry: Registry, start: Callable[..., str]
) -> None:
    run, now = start(), datetime.now(UTC)
    change_run(registry.url, run, host="elsewhere", heartbeat_at=now - timedelta(minutes=9))
    assert registry.mark_dead_runs() == []
    change_run(registry.url, run, heartbeat_at=now - timedelta(minutes=11))
    assert registry.mark_dead_runs() == [run]
    assert registry.get_run(run).reason == "no sign of life for 10 minutes"
    registry.heartbeat(run)
    found = registry.get_run(run)
    assert (found.state, found.reason, found.finished_at) == ("running", None, None)


def test_a_run_that_ends_while_it_is_judged_stays_finished(
    registry: Registry, start: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start()

    def finish_then_gone(_: Process) -> bool:
        registry.finish_run(run, "fans-1", {})
        return True

    monkeypatch.setattr(queries, "is_gone", finish_then_gone)
    assert registry.mark_dead_runs() == []
    assert registry.get_run(run).state == "finished"
