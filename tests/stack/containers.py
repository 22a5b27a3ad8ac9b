"""The stack under podman-compose, as docker/trial/run prepares it, and what is asked of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
FILES = (DOCKER / "compose.yaml", DOCKER / "trial" / "compose.yaml")
PROJECT = "cove-trial"
APP_IMAGE = "localhost/cove-app:latest"
TRAINING_IMAGE = "localhost/cove-training:latest"
SECONDS = 1800
"""How long anything may take on a machine that is busy with other things."""


def podman(*arguments: str, check: bool = True) -> str:
    """What a podman command prints; its complaints are in the error where it fails."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"podman {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def wait_for(what: str, check: Callable[[], Any]) -> Any:
    """The first true answer of a check; an error that says `what` did not come."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            if answer := check():
                return answer
        except OSError:
            pass
        assert time.monotonic() < end, f"{what}: not within {SECONDS} s"
        time.sleep(0.3)


@dataclass(frozen=True)
class Stack:
    """One project of containers, with the variables that a person would put in docker/.env."""

    port: int
    profiles: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    key: str = ""

    def compose(self, *arguments: str, files: Sequence[Path] = FILES, **variables: str) -> str:
        """Run a podman-compose command; what it prints."""
        return self.pipe(*arguments, files=files, **variables).decode().strip()

    def pipe(
        self,
        *arguments: str,
        given: bytes = b"",
        files: Sequence[Path] = FILES,
        **variables: str,
    ) -> bytes:
        """Likewise, with what the command is given and prints as bytes."""
        command = [str(Path(sys.executable).with_name("podman-compose")), "--in-pod=0"]
        command += ["--project-name", PROJECT]
        command += [part for file in files for part in ("--file", str(file))]
        command += [part for profile in self.profiles for part in ("--profile", profile)]
        settings = os.environ | {"TRIAL_PORT": str(self.port)} | self.variables | variables
        done = subprocess.run(
            [*command, *arguments], input=given, env=settings, capture_output=True, check=False
        )
        complaint = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, f"{' '.join(arguments)}: {complaint}"
        return done.stdout

    def up(self, *services: str, **variables: str) -> None:
        """Bring services up, all by default, without building."""
        self.compose("up", "--detach", "--no-build", *services, **variables)

    def run(self, service: str, *command: str) -> str:
        """Run a command in a new container of a service; what it prints."""
        return self.compose("run", "-T", "--rm", "--no-deps", service, *command)

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{PROJECT}_{service}_1"

    def process(self, service: str) -> int:
        """The number of a service's first process on this machine; 0 where it does not run."""
        return int(podman("inspect", "--format", "{{.State.Pid}}", self.container(service)))

    def kill(self, service: str) -> None:
        """Kill a service's first process, as a machine out of memory would."""
        os.kill(self.process(service), signal.SIGKILL)

    def database_answers(self) -> bool:
        """Whether PostgreSQL takes connections."""
        check = "pg_isready --quiet --host=127.0.0.1 --username=cove && echo ready"
        name = self.container("postgres")
        return podman("exec", name, "sh", "-c", check, check=False) == "ready"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The server's answer, of whatever status, as JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                answer = json.load(error)
        assert isinstance(answer, dict)
        return answer

    def served(self) -> str | None:
        """The model that completes lists, if there is one."""
        model: str | None = self.ask("/readyz").get("models", {}).get("list_completion")
        return model
