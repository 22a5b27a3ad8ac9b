"""Two servers and three trainings on one registry, on SQLite and on PostgreSQL."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cove_client import Client, ClientError

from tests.postgres import PostgresServer
from tests.training.worlds import CODE_SIZES, OPTIONS, planted_file
from training.registry.database import downgrade

pytestmark = pytest.mark.slow

SECONDS = 120
EPOCHS = 8
LISTS = "list_completion"


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=os.environ | environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> int:
    """Wait for a process; its exit status. What it complained about is in pytest's output."""
    print(process.communicate()[1])  # noqa: T201
    return process.returncode


def wait_for(what: str, check: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < end, f"{what}: not within {SECONDS} s"
        time.sleep(0.1)


class Place:
    """A folder of artifacts and its registry, with the processes that share them."""

    def __init__(self, folder: Path, url: str, processes: ExitStack) -> None:
        self.artifacts = folder / "artifacts"
        self.data = planted_file(folder)
        self.environment = {
            "COVE_ARTIFACTS": str(self.artifacts), "COVE_DATABASE_URL": url,
            "COVE_POLL_SECONDS": "0.2", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self._processes = processes

    def serve(self) -> "tuple[subprocess.Popen[str], Client]":
        """A server in a process of its own, once it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        server = start(self.environment | {"COVE_PORT": port}, "app")
        self._processes.callback(server.communicate)
        self._processes.callback(server.kill)
        client = self._processes.enter_context(Client(f"http://127.0.0.1:{port}"))
        wait_for("a server", lambda: answers(client))
        return server, client

    def train(self, seed: int, epochs: int = EPOCHS) -> "subprocess.Popen[str]":
        """A training in a process of its own."""
        return start(
            self.environment, "training.cli", "train", "fans", "--data", str(self.data),
            "--cove", ",".join(map(str, CODE_SIZES)), *OPTIONS, "--seed", str(seed),
            "--set", f"epochs={epochs}", "--set", f"patience={epochs}",
            "--output", str(self.artifacts / f"seed-{seed}"),
        )  # fmt: skip

    def command(self, *arguments: str) -> None:
        """Run the `cove` command to its end."""
        assert finish(start(self.environment, "training.cli", *arguments)) == 0


def answers(client: Client) -> bool:
    try:
        client.runs()
    except ClientError:
        return False
    return True


def served(client: Client) -> str | None:
    try:
        return (client.ready().models or {}).get(LISTS)
    except ClientError:
        return None


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty folder with an empty registry."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
        downgrade(url, "base")
    (tmp_path / "artifacts").mkdir()
    with ExitStack() as processes:
        yield Place(tmp_path, url, processes)


def test_three_trainings_and_two_servers_share_a_registry(place: Place) -> None:
    (first, one), (_, other) = place.serve(), place.serve()
    trainings = [place.train(seed) for seed in range(3)]
    assert [finish(each) for each in trainings] == [0, 0, 0]
    for client in (one, other):
        runs = client.runs().runs
        assert sorted(run.seed for run in runs) == [0, 1, 2]
        assert {(run.state, run.epochs) for run in runs} == {("finished", EPOCHS)}
        for run in runs:
            epochs = {point.epoch for point in client.run_metrics(run.id).metrics}
            assert epochs == set(range(1, EPOCHS + 1))
    models = {run.model_id for run in one.runs().runs}
    assert {model.id for model in other.models().models} == models
    wait_for("a model", lambda: served(one) is not None)
    wait_for("the same model", lambda: served(other) == served(one))
    for model in sorted(models - {served(one)}):
        place.command("models", "activate", str(model))
        for client in (one, other):
            wait_for("the switch", lambda client=client, model=model: served(client) == model)
        item = one.search_items(limit=1).items[0].item
        assert item is not None
        assert one.complete_list([item]).items == other.complete_list([item]).items
    first.kill()
    first.wait()
    assert other.complete_list([item]).model == model
    assert served(place.serve()[1]) == model


def test_a_killed_training_is_marked_and_goes_on_while_another_runs(place: Place) -> None:
    _, client = place.serve()
    killed, steady = place.train(0, epochs=60), place.train(1)
    wait_for("two epochs", lambda: any(r.epochs >= 2 for r in client.runs().runs if r.seed == 0))
    killed.kill()
    assert finish(killed) < 0
    assert finish(steady) == 0
    place.command("runs", "list")  # whoever looks marks the dead
    states = {run.seed: (run.state, run.reason) for run in client.runs().runs}
    assert states == {0: ("failed", "the process died"), 1: ("finished", None)}
    assert finish(place.train(0, epochs=60)) == 0
    (run,) = (run for run in client.runs().runs if run.seed == 0)
    assert (run.state, run.epochs) == ("finished", 60)


def test_a_server_answers_while_postgresql_is_gone_and_follows_when_it_is_back(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    downgrade(postgres.url, "base")
    (tmp_path / "artifacts").mkdir()
    with ExitStack() as processes:
        place = Place(tmp_path, postgres.url, processes)
        _, client = place.serve()
        assert [finish(place.train(seed)) for seed in (0, 1)] == [0, 0]
        wait_for("a model", lambda: served(client) is not None)
        before = served(client)
        item = client.search_items(limit=1).items[0].item
        assert item is not None
        postgres.stop("immediate")
        assert client.complete_list([item]).model == before
        assert not answers(client)
        postgres.start()
        (after,) = {model.id for model in client.models().models} - {before}
        place.command("models", "activate", after)
        wait_for("the switch", lambda: served(client) == after)
