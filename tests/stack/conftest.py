"""The stack, up with a model, once on SQLite and once on PostgreSQL."""

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.containers import PROJECT, Stack, podman, wait_for


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


def secret_file(folder: Path, name: str) -> tuple[str, str]:
    """A file that holds a new key, readable by the user of a container; its path and the key."""
    key = secrets.token_urlsafe(32)
    path = folder / name
    path.write_text(f"{key}\n")
    path.chmod(0o444)
    return str(path), key


def remove() -> None:
    """End what an earlier trial left behind, its volumes too."""
    for name in podman("ps", "--all", "--format", "{{.Names}}").split():
        if name.startswith(f"{PROJECT}_"):  # it may be gone, with one that it depends on
            podman("rm", "--force", "--depend", "--time", "0", name, check=False)
    for name in podman("volume", "ls", "--quiet").split():
        if name.startswith(f"{PROJECT}_"):
            podman("volume", "rm", "--force", name)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The stack as README's command brings it up: it trains a first model and serves it."""
    folder = tmp_path_factory.mktemp("secrets")
    api, key = secret_file(folder, "api")
    admin, _ = secret_file(folder, "admin")
    variables = {"COVE_API_KEY_FILE": api, "COVE_ADMIN_KEY_FILE": admin}
    profiles: tuple[str, ...] = ("training",)
    if request.param == "postgresql":
        port = free_port()
        variables |= {
            "TRIAL_POSTGRES_PORT": str(port),
            "COVE_DATABASE_URL": f"postgresql://cove@127.0.0.1:{port}/cove",
            "COVE_DATABASE_PASSWORD_FILE": secret_file(folder, "database")[0],
        }
        profiles = ("training", "postgres")
    stack = Stack(free_port(), profiles, variables, key)
    remove()
    try:
        start(stack)
        wait_for("a first model", stack.served)
        yield stack
    finally:
        remove()


def start(stack: Stack) -> None:
    """Bring the stack up; podman 4 cannot wait for a healthy database, as compose.yaml asks."""
    if "postgres" in stack.profiles:
        stack.up("postgres")
        wait_for("PostgreSQL", stack.database_answers)
    stack.up()
