"""Examples of calls run as the READMEs print them, and their lists of settings are whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cove_client import Client

from app.settings import Settings
from tests.servers import ADMIN_KEY

ROOT = Path(__file__).resolve().parent.parent
README = "\n".join(
    (ROOT / folder / "README.md").read_text() for folder in (".", "app", "docker", "training")
)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if not language and text.startswith("curl")]
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
CLIENT = re.findall(r"^```python\n(.*?)^```$", (ROOT / "client/README.md").read_text(), re.M | re.S)
VARIABLE = re.compile(r"COVE_[A-Z_]+|TORCH_INDEX")


def at(address: str, text: str) -> str:
    """An example with the address of the tests' server."""
    changed = text.replace("http://127.0.0.1:8000", address)
    changed = changed.replace("localhost:8000", address.removeprefix("http://"))
    assert changed != text
    return changed


def run(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT / "client", env=os.environ | variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("text", CURLS)
def test_a_call_by_curl_is_answered(text: str, address: str) -> None:
    with Client(address, key=ADMIN_KEY) as cove:
        cove.complete_list([1])  # what models are compared on
        active = cove.ready().model
        (other,) = (
            each.id for each in cove.models().models
            if each.task == "list_completion" and each.id != active
        )  # fmt: skip
        answer = run("bash", "-euc", at(address, text), MODEL=other, COVE_ADMIN_KEY=ADMIN_KEY)
        if cove.ready().model != active:
            cove.rollback("list_completion")
    assert '"model":' in answer or other in answer
    assert '"status":' not in answer


@pytest.mark.parametrize("text", [*SCRIPTS, *CLIENT])
def test_a_script_of_the_client_runs_and_prints(text: str, address: str) -> None:
    assert run(sys.executable, "-W", "error", "-c", at(address, text)).count("\n") >= 3


def test_the_readme_has_examples_in_curl_and_in_python() -> None:
    assert len(CURLS) >= 3
    assert SCRIPTS
    assert CLIENT


def test_every_setting_of_the_server_is_in_the_readme() -> None:
    named = set(VARIABLE.findall(README))
    assert {f"COVE_{name.upper()}" for name in Settings.model_fields} - named == set()


def test_every_variable_of_the_compose_file_is_in_the_readme() -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked - set(VARIABLE.findall(README)) == set()
