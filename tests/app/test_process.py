"""The server as a container runs it: `python -m app`, its health check, what it needs installed."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
for name in {names}:
    sys.modules[name] = None
from app.main import create_app
from app.settings import read_settings
from training.registry import __main__
create_app(read_settings())
"""


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def port(artifacts: Path) -> Iterator[int]:
    """The port of a server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    settings = {"COVE_ARTIFACTS": str(artifacts), "COVE_PORT": str(number)}
    server = subprocess.Popen([sys.executable, "-m", "app"], env=os.environ | settings)
    try:
        while run("-m", "app.health", COVE_PORT=str(number)).returncode:
            assert server.poll() is None
        yield number
    finally:
        server.terminate()
        server.wait()


def test_the_module_serves_by_its_settings_and_the_health_check_says_so(port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/complete-list", json={"items": [1], "k": 2})
    assert len(answer.json()["items"]) == 2


def test_whatever_answers_get_answers_head_without_a_body(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:  # one connection
        for path in ("/", "/livez", "/readyz", "/models", "/web/app.js", "/codes/99"):
            head, whole = client.head(path), client.get(path)
            assert (head.status_code, head.content) == (whole.status_code, b"")
            assert head.headers["content-length"] == str(len(whole.content))
        assert client.head("/complete-list").status_code == 405


def test_the_health_check_fails_where_nothing_answers() -> None:
    with socket.socket() as taken:  # bound, and not listened on: refused
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        assert run("-m", "app.health", COVE_PORT=port).returncode == 1


@pytest.mark.parametrize("command", [["-m", "app"], ["-m", "training.cli", "serve"]])
def test_a_taken_port_ends_the_server_with_one_sentence(
    command: list[str], artifacts: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        ended = run(*command, COVE_ARTIFACTS=str(artifacts), COVE_PORT=str(number))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"cove: the server cannot listen on 127.0.0.1:{number}: Address already in use; name "
        "another with --port or COVE_PORT\n"
    )


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("training.entry", "typer", "train"), ("app.__main__", "uvicorn", "serve")],
)
def test_an_extra_that_is_not_installed_is_named(module: str, missing: str, extra: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from {module} import main; main()"
    ended = run("-c", script)
    assert ended.stderr.count("\n") == 1
    assert f"needs the extra `{extra}` (no module {missing}): pip install" in ended.stderr


def test_a_wrong_setting_ends_the_server_with_one_sentence() -> None:
    done = run("-m", "app", COVE_PORT="high")
    assert done.returncode == 2
    assert re.fullmatch(r"cove: COVE_PORT: .* got 'high'\n", done.stderr)


def test_the_server_needs_nothing_that_only_training_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    modules = {"faiss-cpu": "faiss"}
    asked = {extra: {re.split(r"[\[><=]", each)[0] for each in extras[extra]} for extra in extras}
    only = (asked["train"] | asked["cpu"]) - asked["serve"]
    assert {"polars", "typer", "gensim", "faiss-cpu"} <= only
    names = sorted(modules.get(name, name) for name in only)
    done = run("-c", WITHOUT.format(names=names))
    assert (done.returncode, done.stderr) == (0, "")
