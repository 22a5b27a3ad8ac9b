"""Every documented call, with whatever schemathesis makes up: as documented, and never a 5xx."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.servers import running

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)


@pytest.mark.slow
def test_every_answer_to_made_up_calls_is_as_documented(all_artifacts: Path) -> None:
    with running(all_artifacts, log_level="error") as server:
        command = [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.address}/openapi.json",
            "--checks", CHECKS, "--max-examples", "40", "--seed", "1", "--no-color",
            "-H", "Authorization: Bearer the-admin",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "cove" not in server.log.read_text(), "nothing went wrong in the server"
