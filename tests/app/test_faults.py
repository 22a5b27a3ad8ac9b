"""A server whose models change, whose workers die, whose clients hang, whose registry is gone."""

import json
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import httpx
import pytest

from tests.app.conftest import make_artifact, make_preference_artifact
from tests.app.servers import ADMIN, Server, is_ready, running, wait_for

pytestmark = pytest.mark.slow

LIST = {"items": [1, 2, 3], "k": 5}


@pytest.fixture
def two_models(tmp_path: Path) -> Path:
    """A folder with two list models that give different answers."""
    make_artifact(tmp_path / "one", seed=1)
    make_artifact(tmp_path / "two", seed=2)
    return tmp_path


def models_of(server: Server) -> list[str]:
    return [each["id"] for each in httpx.get(f"{server.address}/models").json()["models"]]


class Callers:
    """Threads that complete lists for as long as they are not told to stop."""

    def __init__(self, server: Server, count: int = 4) -> None:
        self.server, self.stopped = server, threading.Event()
        self.answers: list[dict] = []
        self.failures: list[str] = []
        self.threads = ThreadPoolExecutor(count)
        self.running = [self.threads.submit(self._call) for _ in range(count)]

    def _call(self) -> None:
        with httpx.Client(base_url=self.server.address, timeout=20) as client:
            while not self.stopped.is_set():
                try:
                    response = client.post("/complete-list", json=LIST)
                    if response.status_code == 200:
                        self.answers.append(response.json())
                    else:
                        self.failures.append(response.text)
                except httpx.TransportError as error:
                    self.failures.append(repr(error))

    def stop(self) -> None:
        self.stopped.set()
        for each in self.running:
            each.result()
        self.threads.shutdown()


@contextmanager
def called(server: Server) -> Iterator[Callers]:
    """Load on a server for as long as the block lasts."""
    callers = Callers(server)
    try:
        yield callers
    finally:
        callers.stop()


def test_a_thousand_activations_under_load_lose_and_mix_no_request(two_models: Path) -> None:
    with running(two_models) as server, httpx.Client(base_url=server.address) as admin:
        models = models_of(server)
        expected = {
            model: admin.post("/complete-list", json=LIST | {"model": model}).json()["items"]
            for model in models
        }
        with called(server) as callers:
            for turn in range(1000):
                path = f"/models/{models[turn % 2]}/activate"
                assert admin.post(path, headers=ADMIN).status_code == 200
    assert callers.failures == []
    assert {answer["model"] for answer in callers.answers} == set(models)
    for answer in callers.answers:
        items = [each["item"] for each in answer["items"]]
        assert items == [each["item"] for each in expected[answer["model"]]]


def test_several_workers_follow_a_switch_within_two_seconds(two_models: Path) -> None:
    with running(two_models, workers=2) as server:
        wait_for(lambda: len(server.workers()) == 2, 30)
        time.sleep(2)  # both have started
        first = httpx.post(f"{server.address}/complete-list", json=LIST).json()["model"]
        (second,) = {*models_of(server)} - {first}
        path = f"{server.address}/models/{second}/activate"
        assert httpx.post(path, headers=ADMIN).status_code == 200
        time.sleep(2)
        for _ in range(40):  # each on a connection of its own, so that any worker may answer
            answer = httpx.post(f"{server.address}/complete-list", json=LIST)
            assert answer.json()["model"] == second
        text = httpx.get(f"{server.address}/metrics").text
        answered = 'cove_http_requests_total{method="POST",path="/complete-list",status="200"} 41.0'
        assert answered in text, "metrics add up what all workers did"


def test_a_killed_worker_is_replaced_and_the_others_go_on(two_models: Path) -> None:
    with running(two_models, workers=2) as server:
        wait_for(lambda: len(server.workers()) == 2, 30)
        time.sleep(2)
        with called(server) as callers:
            time.sleep(0.5)
            victim = server.workers()[0]
            victim.send_signal(signal.SIGKILL)
            wait_for(lambda: len({each.pid for each in server.workers()} - {victim.pid}) == 2, 30)
            time.sleep(1)
        assert len(callers.failures) <= 4, "only calls that the worker had in hand may fail"
        assert is_ready(server.address)
        assert len(callers.answers) > 20


def test_a_server_that_is_told_to_stop_answers_what_it_has_begun(two_models: Path) -> None:
    body = json.dumps({"lists": [[1, 2, 3]] * 256, "k": 50, "explain": True})
    with running(two_models) as server, ExitStack() as open_ones:
        asked = [
            open_ones.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=30)))
            for _ in range(4)
        ]
        for each in asked:
            each.request("POST", "/complete-list", body, {"Content-Type": "application/json"})
        assert is_ready(server.address)  # it came after them, so that they are begun
        server.process.terminate()
        assert [each.getresponse().status for each in asked] == [200] * 4
        assert server.process.wait(20) in {0, -signal.SIGTERM}


def test_a_client_that_hangs_is_told_so_and_holds_up_nobody(two_models: Path) -> None:
    head = b"POST /complete-list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with running(two_models, request_timeout_seconds=5) as server, ExitStack() as open_ones:
        hanging = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(50)
        ]
        for place, connection in enumerate(hanging):
            connection.sendall(head + (b'Content-Length: 100\r\n\r\n{"it' if place % 2 else b""))
        assert (
            httpx.post(f"{server.address}/complete-list", json=LIST, timeout=30).status_code == 200
        )
        hanging[1].settimeout(30)
        answer = open_ones.enter_context(HTTPResponse(hanging[1]))
        answer.begin()
        assert (answer.status, json.load(answer)["status"]) == (408, 408)
        open_ones.close()
        assert (
            httpx.post(f"{server.address}/complete-list", json=LIST, timeout=30).status_code == 200
        )


def test_a_huge_body_and_a_broken_head_get_an_answer_below_500(two_models: Path) -> None:
    with running(two_models) as server:
        huge = b'{"items": [' + b'"x",' * 300_000 + b'"x"]}'
        kind = {"Content-Type": "application/json"}
        answer = httpx.post(f"{server.address}/complete-list", content=huge, headers=kind)
        assert answer.status_code == 413
        for nonsense in (b"\x00\xff\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.settimeout(5)
                connection.sendall(nonsense)
                assert int(connection.recv(4096).split()[1]) < 500
        assert is_ready(server.address)


def test_a_locked_or_lost_registry_does_not_stop_recommendations(tmp_path: Path) -> None:
    make_preference_artifact(tmp_path / "recommend")
    user = {"user": 101}
    with running(tmp_path, request_timeout_seconds=5) as server:
        call = f"{server.address}/recommend-items"
        with closing(sqlite3.connect(tmp_path / "registry.sqlite3")) as other:
            other.isolation_level = None
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(20):
                assert httpx.post(call, json=user, timeout=5).status_code == 200
            model = httpx.get(f"{server.address}/readyz").json()["model"]
            path = f"{server.address}/models/{model}/activate"
            refused = httpx.post(path, headers=ADMIN, timeout=30)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            other.execute("ROLLBACK")
        wait_for(lambda: httpx.post(path, headers=ADMIN, timeout=30).status_code == 200, 30)
        (tmp_path / "registry.sqlite3").write_bytes(b"no database any more")
        for _ in range(20):
            assert httpx.post(call, json=user, timeout=5).status_code == 200
