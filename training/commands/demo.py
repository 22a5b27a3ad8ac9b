"""`cove demo`: MovieLens-100K to a running server that completes a list of films."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cove.errors import CoveError
from training.datasets.fetching import fetch_ml100k

FOLDER = Path(".demo")
GIVEN = ("50", "172", "181")
"""Star Wars, The Empire Strikes Back, Return of the Jedi."""
SETTINGS = ("epochs=10", "batch_size=16", "max_length=60", "learning_rate=0.005")
"""MovieLens-100K has few lists, and long ones: small steps, and the first 60 films of each."""


class DemoError(CoveError):
    """The demonstration cannot go on."""


def run_demo(data: Path | None, port: int) -> None:
    """Fetch the data, train COVE on FANS, serve, complete a list, and leave the server up."""
    stop_demo(quiet=True)
    _need_free(port)
    artifacts = FOLDER / "artifacts"
    folder = data or fetch_ml100k(FOLDER)
    settings = [text for setting in SETTINGS for text in ("--set", setting)]
    _cove(
        "train", "fans", "--data", "ml100k", "--from", str(folder), "--cove", "100,10",
        "--seed", "0", "--output", str(artifacts / "ml100k-fans"), "--overwrite", *settings,
    )  # fmt: skip
    _start_server(artifacts, port)
    address = f"http://127.0.0.1:{port}"
    body = {"items": GIVEN, "k": 5, "explain": True}
    answer = _call(f"{address}/complete-list", body)
    _print_answer(answer, address, body)


def _need_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoError(
                f"port {port} is taken: name another one, like make demo PORT={port + 1}"
            ) from None


def stop_demo(quiet: bool = False) -> None:
    """Stop the server that an earlier demonstration left running."""
    record = FOLDER / "server.pid"
    try:
        pid = int(record.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"serve" not in command.read_bytes():
            raise ProcessLookupError
        os.kill(pid, signal.SIGTERM)
        while True:  # until the port is free again
            os.kill(pid, 0)
            time.sleep(0.1)
            if command.exists() and b"serve" not in command.read_bytes():
                break
    except (OSError, ValueError):
        if not quiet and not record.exists():
            print("no demonstration server is running")  # noqa: T201
    record.unlink(missing_ok=True)


def _cove(*arguments: str) -> None:
    command = [sys.executable, "-m", "training.cli", *arguments]
    print(f"$ cove {' '.join(arguments)}", flush=True)  # noqa: T201
    if subprocess.run(command, check=False).returncode:
        raise DemoError(f"`cove {arguments[0]}` failed: its message is above")


def _start_server(artifacts: Path, port: int) -> None:
    log = FOLDER / "server.log"
    command = [sys.executable, "-m", "training.cli", "serve"]
    command += ["--artifacts", str(artifacts), "--port", str(port)]
    print(f"$ cove {' '.join(command[3:])} &", flush=True)  # noqa: T201
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    (FOLDER / "server.pid").write_text(str(server.pid))
    for _ in range(300):
        if server.poll() is not None:
            (FOLDER / "server.pid").unlink()
            raise DemoError(f"the server stopped at once: its log is {log}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise DemoError(f"the server was not ready after a minute: its log is {log}")


def _call(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def _print_answer(answer: dict[str, Any], address: str, body: dict[str, Any]) -> None:
    lines = [f"$ curl -s {address}/complete-list -H 'Content-Type: application/json' \\"]
    lines += [f"    -d '{json.dumps(body)}'", "", f"answered by {answer['model']}:"]
    for item in answer["items"]:
        shared = ", ".join(
            f"{count} of {len(GIVEN)} on level {level}"
            for level, count in item["shared_codes"].items()
        )
        lines.append(f"  {item['title']:45s} codes {item['codes']}, shared with {shared}")
    lines += ["", f"browse the codes:  {address}/", f"the API:           {address}/docs"]
    lines += ["stop the server:   make demo-stop"]
    print("\n".join(lines))  # noqa: T201
