"""Runs and their metrics: started, resumed, finished, failed, listed."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from training.registry.errors import RegistryError
from training.registry.queries import Registry

Start = Callable[..., str]


def history(registry: Registry, run: str) -> list[tuple[int, str, float]]:
    return [(m.epoch, m.name, m.value) for m in registry.run_metrics(run)]


def test_a_run_goes_from_running_to_finished(registry: Registry, start: Start) -> None:
    run = start(settings={"model": {"dimension": 64}}, seed=7)
    found = registry.get_run(run)
    assert (found.state, found.seed, found.epochs) == ("running", 7, 0)
    assert found.settings == {"model": {"dimension": 64}}
    assert found.finished_at is None
    registry.finish_run(run, "fans-1", {"ndcg_at_10": 0.5})
    found = registry.get_run(run)
    assert (found.state, found.model_id, found.reason) == ("finished", "fans-1", None)
    assert found.metrics == {"ndcg_at_10": 0.5}


def test_times_come_back_in_utc_with_their_zone(registry: Registry, start: Start) -> None:
    run = start()
    registry.fail_run(run, "no reason")
    found = registry.get_run(run)
    for moment in (found.started_at, found.heartbeat_at, found.finished_at):
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - moment) < timedelta(seconds=30)


def test_a_failed_run_keeps_its_reason(registry: Registry, start: Start) -> None:
    run = start()
    registry.fail_run(run, "out of memory")
    found = registry.get_run(run)
    assert (found.state, found.reason) == ("failed", "out of memory")


def test_metrics_of_an_epoch_are_added_to_and_replaced_by_name(
    registry: Registry, start: Start
) -> None:
    run = start()
    registry.record_metrics(run, 1, {"loss": 3.0})
    registry.record_metrics(run, 1, {"ndcg_at_10": 0.1})
    registry.record_metrics(run, 1, {"loss": 2.0})
    assert history(registry, run) == [(1, "loss", 2.0), (1, "ndcg_at_10", 0.1)]
    assert registry.get_run(run).epochs == 1


def test_a_resumed_run_keeps_its_metrics_and_replaces_those_it_does_again(
    registry: Registry, start: Start
) -> None:
    run = start()
    for epoch in (1, 2, 3):
        registry.record_metrics(run, epoch, {"loss": float(epoch)})
    registry.fail_run(run, "interrupted")
    assert start(run_id=run) == run
    found = registry.get_run(run)
    assert (found.state, found.reason, found.finished_at) == ("running", None, None)
    assert len(history(registry, run)) == 3
    registry.record_metrics(run, 2, {"loss": 20.0})
    assert history(registry, run) == [(1, "loss", 1.0), (2, "loss", 20.0)]
    assert len(registry.list_runs()) == 1


def test_a_run_resumed_in_another_registry_keeps_its_id(registry: Registry, start: Start) -> None:
    assert start(run_id="elsewhere") == "elsewhere"
    assert registry.get_run("elsewhere").state == "running"


def test_values_that_are_not_finite_are_left_out(registry: Registry, start: Start) -> None:
    run = start()
    registry.record_metrics(run, 1, {"loss": math.nan, "a": math.inf, "b": 1.0})
    registry.finish_run(run, "fans-1", {"ndcg_at_full_ideal_10": math.nan, "hit_at_10": 0.5})
    assert history(registry, run) == [(1, "b", 1.0)]
    assert registry.get_run(run).metrics == {"hit_at_10": 0.5}


def test_a_heartbeat_moves_only_the_heartbeat(registry: Registry, start: Start) -> None:
    run = start()
    before = registry.get_run(run)
    registry.heartbeat(run)
    after = registry.get_run(run)
    assert after.heartbeat_at > before.heartbeat_at
    assert after.started_at == before.started_at


def test_runs_are_listed_newest_first_by_task_and_state_in_pages(
    registry: Registry, start: Start
) -> None:
    runs = [start(), start(task="click_through"), start()]
    registry.fail_run(runs[2], "no reason")
    assert [run.id for run in registry.list_runs()] == runs[::-1]
    assert [run.id for run in registry.list_runs(task="click_through")] == [runs[1]]
    assert [run.id for run in registry.list_runs(state="running")] == [runs[1], runs[0]]
    assert [run.id for run in registry.list_runs(limit=1, offset=1)] == [runs[1]]


def test_a_run_is_found_by_the_unique_start_of_its_id(registry: Registry, start: Start) -> None:
    start(run_id="ab1")
    start(run_id="ab2")
    assert registry.get_run("ab1").id == "ab1"
    for unknown in ("ab%", "c", ""):
        assert registry.get_run(unknown) is None
    with pytest.raises(RegistryError, match=r"^'ab' is the start of several runs: ab1, ab2$"):
        registry.get_run("ab")


def test_of_many_runs_that_start_alike_ten_are_named(registry: Registry, start: Start) -> None:
    for number in range(12):
        start(run_id=f"a{number:02}")
    with pytest.raises(RegistryError, match=r"several runs: a00, .*a08, a09, …$"):
        registry.get_run("a")


def test_an_unknown_run_cannot_be_written_to(registry: Registry) -> None:
    for write in (
        lambda: registry.heartbeat("none"),
        lambda: registry.record_metrics("none", 1, {"loss": 1.0}),
        lambda: registry.finish_run("none", "fans-1", {}),
        lambda: registry.fail_run("none", "no reason"),
    ):
        with pytest.raises(RegistryError, match="there is no run 'none'"):
            write()
