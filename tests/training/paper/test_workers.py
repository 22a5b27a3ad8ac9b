"""Jobs in their order, alone and side by side; processes that die or are interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.paper.worlds import small_rows, workplace_at
from training.paper.jobs import Job, Outcome
from training.paper.progress import LineBoard
from training.paper.schedule import Key, Schedule
from training.paper.workers import run_jobs
from training.registry.database import downgrade, registry_url, upgrade
from training.registry.models import Run
from training.registry.queries import Registry

CALL = """
import sys
from dataclasses import replace
from tests.training.paper.worlds import small_rows
from training.cli import main
from training.paper.tables import TABLE_2, TABLES
if __name__ == "__main__":
    TABLES["table2"] = replace(TABLE_2, rows=small_rows)
    sys.exit(main(sys.argv[1:]))
"""


def jobs_at(output: Path, file: Path, seeds: tuple[int, ...] = (0,)) -> list[Job]:
    workplace = workplace_at(output, file)
    return [Job(row, seed, workplace) for seed in seeds for row in small_rows()]


def names(found: list[Job]) -> list[Key]:
    return [job.key for job in found]


def test_a_job_waits_for_the_one_it_needs_and_others_go_first(tiny: Path, tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path, tiny)
    codes, plain, cove = (
        next(job for job in jobs if job.row.name == name)
        for name in ("fans_kmeans_codes", "fans", "fans_cove")
    )
    schedule = Schedule([codes, plain, cove])
    assert [schedule.next(), schedule.next(), schedule.next()] == [plain, cove, None]
    schedule.end(Outcome(plain.key, 1.0, 0.5))
    assert schedule.next() == codes
    assert schedule.refusal(codes) is None


class Others:
    """Claims of which other processes hold some."""

    def __init__(self, *held: str) -> None:
        self.held, self.ours = set(held), set[str]()

    def take(self, key: str) -> bool:
        """Ours unless it is held."""
        if key in self.held:
            return False
        self.ours.add(key)
        return True

    def release(self, key: str) -> None:
        """Let go."""
        self.ours.remove(key)


def test_a_job_that_another_process_is_at_is_left_until_it_is_free(
    tiny: Path, tmp_path: Path
) -> None:
    popular, ease = jobs_at(tmp_path, tiny)[:2]
    claims = Others(popular.hash())
    schedule = Schedule([popular, ease], claims=claims)
    assert schedule.next() == ease
    assert claims.ours == {ease.hash()}
    assert schedule.next() is None
    assert schedule.waiting == [popular]
    schedule.end(Outcome(ease.key, 1.0, 0.5))
    assert claims.ours == set()
    claims.held.clear()
    assert schedule.next() == popular


def test_a_job_whose_needs_failed_is_refused_and_one_whose_needs_were_there_is_not(
    tiny: Path, tmp_path: Path
) -> None:
    codes = jobs_at(tmp_path, tiny)[-1]
    assert Schedule([codes], [("fans", 0)]).refusal(codes) is None
    schedule = Schedule([codes])
    schedule.end(Outcome(("fans", 0), 1.0, reason="it broke"))
    assert schedule.next() == codes
    refusal = schedule.refusal(codes)
    assert refusal is not None
    assert refusal.reason == "it needs fans of seed 0, which failed"


def test_the_time_left_is_the_mean_of_the_finished_runs_over_the_workers(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_at(tmp_path, tiny, (0, 1))
    board = LineBoard(jobs, 3, 2)
    with board:
        assert board.seconds_left() is None
        board.finished(Outcome(("ease", 0), 4.0, 0.1))
        assert board.seconds_left() is None  # nothing is known of runs yet
        board.finished(Outcome(("fans", 0), 100.0, 0.1))
        board.finished(Outcome(("fans", 1), 50.0, 0.1))
        # left: three baselines of 4 s and four runs of 75 s, by two workers
        assert board.seconds_left() == pytest.approx((3 * 4 + 4 * 75) / 2)
        board.finished(Outcome(("fans_cove", 0), 1.0, reason="it broke"))
        assert board.seconds_left() == pytest.approx((3 * 4 + 3 * 75) / 2)
        board.warn(("fans_cove", 1), "level 1 has collapsed: 3 of its 12 codes")
        board.warn(("fans_cove", 1), "level 1 has collapsed: 2 of its 12 codes")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "13 results wanted, 3 there, 2 at once"
    assert lines[2].startswith("[5/13] fans, seed 0: NDCG@10 0.1000 in 0:01:40; 0:00:00 gone")
    assert "[7/13] fans_cove, seed 0: failed: it broke;" in lines[4]
    assert sum("collapsed" in line for line in lines) == 1


class Heard(LineBoard):
    """Keeps what it hears; may kill the worker that is at a job."""

    victim: Key | None = None
    registry = ""

    def epoch(self, key: Key, epoch: int, num_epochs: int) -> None:
        super().epoch(key, epoch, num_epochs)
        if key == self.victim:
            self.victim = None
            with Registry(self.registry) as registry:
                (run,) = (run for run in registry.list_runs() if run.seed == key[1])
            os.kill(run.pid, signal.SIGKILL)


def _children_at(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_one_job_with_it(tiny: Path, tmp_path: Path) -> None:
    workplace = workplace_at(tmp_path, tiny)
    longer = {**workplace.overrides, "epochs": 40, "patience": 40}  # it is killed in the midst
    workplace = replace(workplace, overrides=longer)
    rows = [row for row in small_rows() if row.name in {"fans", "ease"}]
    jobs = [Job(row, seed, workplace) for seed in (0, 1) for row in rows]
    upgrade(workplace.registry)
    outcomes: dict[Key, Outcome] = {}
    board = Heard(jobs, 0, 2)
    board.registry, board.victim = workplace.registry, ("fans", 0)
    finished = board.finished

    def keep(outcome: Outcome) -> None:
        outcomes[outcome.key] = outcome
        finished(outcome)

    board.finished = keep  # type: ignore[method-assign]
    run_jobs(Schedule(jobs), board, 2)
    assert sorted(outcomes) == sorted(names(jobs))
    reasons = [outcome.reason for outcome in outcomes.values() if outcome.reason]
    assert reasons == ["its process died (exit status -9)"]
    assert _children_at(os.getpid()) == []


@pytest.mark.slow
def test_side_by_side_gives_the_same_models_as_one_after_another(
    tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "call.py").write_text(CALL)
    made = []
    for name, jobs in (("alone", "1"), ("beside", "2")):
        call = _call(tmp_path, tiny, tmp_path / name, "--rows", "all", "--jobs", jobs, "--json")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
        done = subprocess.run(call, capture_output=True, text=True, env=environment, check=True)
        report = json.loads(done.stdout)
        made.append(
            [
                (row["name"], seed["seed"], seed.get("model_hash"), seed["test"])
                for row in report["rows"]
                for seed in row["seeds"]
            ]
        )
    assert made[0] == made[1]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_stops_all_workers_and_the_same_call_goes_on(
    tiny: Path, tmp_path: Path, jobs: str
) -> None:
    (tmp_path / "call.py").write_text(CALL)
    output = tmp_path / "runs"
    more = ("--rows", "fans,fans_cove", "--jobs", jobs, "--set", "epochs=4000")
    call = _call(tmp_path, tiny, output, *more, "--set", "patience=4000")
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not list(output.glob("tiny/*/.0.checkpoint/[0-9]*")):
            assert process.poll() is None
            time.sleep(0.05)
        children = _children_at(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith("cove: interrupted\n")
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    with Registry(registry_url(output)) as registry:
        runs = registry.list_runs()
    assert runs
    assert {run.state for run in runs} == {"failed"}
    assert {str(run.reason).split(":")[0] for run in runs} == {"interrupted"}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_three_who_share_a_registry_one_is_killed_and_the_others_do_its_work(
    database: str, tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "call.py").write_text(CALL)
    output = tmp_path / "runs"
    output.mkdir()
    url = registry_url(output)
    if database == "postgresql":
        url = request.getfixturevalue("postgres").url
        downgrade(url, "base")
    upgrade(url)
    environment = os.environ | {
        "PYTHONPATH": os.getcwd(), "COVE_DATABASE_URL": url, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    call = _call(tmp_path, tiny, output, "--rows", "fans,fans_cove", "--seeds", "0,1,2")
    call += ["--set", "epochs=60", "--set", "patience=60"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    workers = [
        subprocess.Popen([*call, "--jobs", jobs], env=environment, **quiet)
        for jobs in ("1", "1", "2")
    ]
    with Registry(url) as registry:
        victim = _first_at_work(registry, workers)
        victim.kill()
        victim.wait()
        (lost,) = [run for run in registry.list_runs() if _is_at(run, victim)]
        survivors = [worker for worker in workers if worker is not victim]
        assert [worker.wait(timeout=300) for worker in survivors] == [0, 0]
        runs = registry.list_runs()
        done = registry.get_run(lost.id)
    finished = Counter(run.settings_hash for run in runs if run.state == "finished")
    assert len(finished) == 6
    assert set(finished.values()) == {1}
    assert len(runs) == 6  # nothing was begun twice but what was lost, and that went on as it was
    assert done is not None
    assert done.state == "finished"
    assert done.pid != victim.pid
    report = json.loads((output / "table2-tiny.json").read_text())
    assert [len(row["seeds"]) for row in report["rows"]] == [3, 3]
    if database == "postgresql":
        downgrade(url, "base")


def _is_at(run: Run, worker: subprocess.Popen[bytes]) -> bool:
    return run.pid == worker.pid and run.state == "running" and run.epochs > 1


def _first_at_work(
    registry: Registry, workers: list[subprocess.Popen[bytes]]
) -> subprocess.Popen[bytes]:
    """The first of the processes that is in the midst of a run, while all three are at work."""
    while True:
        runs = registry.list_runs()
        if len({run.pid for run in runs}) >= len(workers):
            for worker in workers:
                if any(_is_at(run, worker) for run in runs):
                    return worker
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.05)


def _call(folder: Path, file: Path, output: Path, *more: str) -> list[str]:
    call = [sys.executable, str(folder / "call.py"), "reproduce", "table2"]
    call += ["--dataset", str(file), "--output", str(output)]
    seeds = [] if "--seeds" in more else ["--seeds", "0"]
    return [*call, *seeds, "--device", "cpu", "--set", "min_count=1", *more]
