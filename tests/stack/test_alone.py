"""`up` without a profile: the server alone, which says how to get a model."""

from collections.abc import Iterator

import pytest

from tests.stack.conftest import free_port, remove
from tests.stack.containers import PROJECT, Stack, podman, wait_for

pytestmark = pytest.mark.stack


@pytest.fixture
def alone() -> Iterator[Stack]:
    """The stack of `docker compose up`, with nothing set."""
    stack = Stack(free_port())
    remove()
    try:
        stack.up()
        wait_for("the server", lambda: stack.ask("/livez"))
        yield stack
    finally:
        remove()


def test_the_server_alone_comes_up_after_its_migration_and_names_the_command(alone: Stack) -> None:
    names = podman("ps", "--all", "--filter", f"name={PROJECT}_", "--format", "{{.Names}}").split()
    assert set(names) == {alone.container("migrate"), alone.container("app")}
    migration = podman("inspect", alone.container("migrate"), "--format", "{{.State.ExitCode}}")
    assert migration == "0"
    command = "docker compose -f docker/compose.yaml run --rm training"
    detail = alone.ask("/complete-list", {"items": ["50"]})["detail"]
    assert detail == f"There is no model for lists yet; train one with: {command}"
    podman("healthcheck", "run", alone.container("app"))
