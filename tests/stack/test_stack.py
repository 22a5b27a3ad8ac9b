"""The stack from end to end; each test finds it up with a model, and leaves it so."""

from pathlib import Path

import pytest

from tests.stack.conftest import remove, start
from tests.stack.containers import APP_IMAGE, DOCKER, FILES, Stack, podman, wait_for

pytestmark = pytest.mark.stack

LIST = {"items": ["50", "172"], "k": 3, "explain": True}
TRAIN = (
    "cove", "train", "fans", "--data", "ml100k", "--from", "/data", "--cove", "20,4",
    "--set", "max_length=60",
)  # fmt: skip
ASK = """
import json, os, urllib.request
request = urllib.request.Request(
    "http://127.0.0.1:{port}/complete-list", json.dumps({body}).encode(),
    {{"Content-Type": "application/json", "Authorization": "Bearer {key}"}})
print(len(json.load(urllib.request.urlopen(request))["items"]))
"""
NEXT_MIGRATION = '''
"""A migration that the running image does not know."""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None
def upgrade():
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=False, server_default="kept"))
def downgrade():
    op.drop_column("runs", "note")
'''


def build_with_a_migration(image: str, folder: Path) -> str:
    """Make the server's next image, with one migration more; the id of the one before."""
    code = "import migrations; print(migrations.__path__[0])"
    versions = podman("run", "--rm", APP_IMAGE, "python", "-c", code) + "/versions"
    names = podman("run", "--rm", APP_IMAGE, "ls", versions).split()
    head = max(name for name in names if name.endswith(".py")).partition("_")[0]
    (folder / "next.py").write_text(NEXT_MIGRATION.format(head=head))
    (folder / "Dockerfile").write_text(f"FROM {APP_IMAGE}\nCOPY next.py {versions}/9999_next.py\n")
    podman("build", "--pull=never", "--format", "docker", "--tag", image, str(folder))
    return head


def facts(stack: Stack) -> tuple[object, ...]:
    """What must outlive containers: runs, their metrics, models, which one is active."""
    runs = stack.ask("/runs")["runs"]
    metrics = [stack.ask(f"/runs/{run['id']}/metrics") for run in runs]
    return runs, metrics, stack.ask("/models"), stack.served()


def comes_back(stack: Stack, before: int) -> None:
    """Wait until the server is another process than before, and answers with its model."""
    wait_for("another server", lambda: stack.process("app") not in {0, before})
    wait_for("a model", stack.served)


def test_a_list_is_completed_from_another_container(stack: Stack) -> None:
    answer = stack.ask("/complete-list", LIST)
    assert answer["source"] == "model"
    code = ASK.format(port=stack.port, body=LIST, key=stack.key)
    assert stack.run("training", "python", "-c", code) == str(len(answer["items"])) == "3"


def test_a_model_trained_in_one_container_is_activated_and_served_by_another(stack: Stack) -> None:
    first = stack.served()
    stack.run("training", *TRAIN, "--set", "epochs=3", "--output", "/artifacts/second")
    listed = {model["id"] for model in stack.ask("/models")["models"]}
    (second,) = listed - {first}
    assert stack.served() == first, "a newer model waits until it is activated"
    stack.run("training", "cove", "models", "activate", second)
    wait_for("the second model", lambda: stack.served() == second)
    assert stack.ask("/complete-list", LIST)["model"] == second
    stack.run("training", "cove", "models", "rollback")
    wait_for("the first model", lambda: stack.served() == first)


def test_no_process_is_root_or_has_a_right_or_writes_outside_its_volumes(stack: Stack) -> None:
    for service in ("app", *(["postgres"] if "postgres" in stack.profiles else [])):
        status = Path(f"/proc/{stack.process(service)}/status").read_text()
        rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in rows["Uid"].split()
        assert {rows[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert rows["NoNewPrivs"] == "1"
        name = stack.container(service)
        write = "for d in / /opt /etc /usr /root /var; do touch $d/x 2>/dev/null && echo $d; done"
        assert podman("exec", name, "sh", "-c", f"{write}; true") == ""
        touched = podman("diff", name).splitlines()
        assert [line for line in touched if line.startswith(("A", "D"))] == []
        assert podman("inspect", "--format", "{{.HostConfig.Memory}}", name) != "0"


def test_a_killed_server_comes_back_with_its_model(stack: Stack) -> None:
    known = facts(stack)
    stack.compose(
        "up", "--detach", "--no-build", "app", files=(*FILES, DOCKER / "trial/alone.yaml")
    )
    wait_for("a model", stack.served)
    before = stack.process("app")
    stack.kill("app")
    comes_back(stack, before)
    assert facts(stack) == known
    stack.up("app")
    wait_for("a model", stack.served)


def test_a_killed_training_goes_on_where_it_was(stack: Stack) -> None:
    def training() -> dict[str, object] | None:
        runs = stack.ask("/runs")["runs"]
        return next((run for run in runs if run["state"] == "running" and run["epochs"]), None)

    command = [*TRAIN, "--set", "epochs=12", "--seed", "7", "--output", "/artifacts/killed"]
    name = f"{stack.container('training')}_killed"
    stack.compose("run", "--detach", "--no-deps", "--name", name, "training", *command)
    run = wait_for("an epoch", training)
    podman("kill", "--signal", "KILL", name)
    podman("rm", "--force", name)
    stack.run("training", *command)
    after = stack.ask(f"/runs/{run['id']}")
    assert after["state"] == "finished"
    epochs = [point["epoch"] for point in stack.ask(f"/runs/{run['id']}/metrics")["metrics"]]
    assert sorted(set(epochs)) == list(range(1, after["epochs"] + 1))
    assert len(stack.ask("/runs?state=running")["runs"]) == 0


def test_a_killed_database_comes_back_and_recommendations_never_stop(stack: Stack) -> None:
    if "postgres" not in stack.profiles:
        assert not podman("ps", "--all", "--quiet", "--filter", "name=postgres")
        return
    before, known = stack.process("postgres"), facts(stack)
    stack.kill("postgres")
    assert len(stack.ask("/complete-list", LIST)["items"]) == 3
    wait_for("another PostgreSQL", lambda: stack.process("postgres") not in {0, before})
    wait_for("PostgreSQL", stack.database_answers)
    wait_for("the same registry", lambda: "runs" in stack.ask("/runs") and facts(stack) == known)


def test_down_and_up_keep_everything(stack: Stack) -> None:
    known = facts(stack)
    stack.compose("down")
    assert podman("ps", "--all", "--quiet", "--filter", f"name={stack.container('app')}") == ""
    start(stack)
    wait_for("a model", stack.served)
    wait_for("the training that has nothing to do", lambda: not stack.process("training"))
    assert facts(stack) == known


def test_a_backup_is_restored_into_empty_volumes(stack: Stack) -> None:
    known = facts(stack)
    in_volume = ("run", "-T", "--rm", "--no-deps", "migrate", "tar", "-C", "/artifacts")
    database = ("exec", "-T", "postgres")
    sql = b""
    if "postgres" in stack.profiles:
        sql = stack.pipe(*database, "pg_dump", "--username=cove", "cove")
    stack.compose("stop", "app")
    files = stack.pipe(*in_volume, "-c", ".")
    remove()
    stack.pipe(*in_volume, "-x", given=files)
    if "postgres" in stack.profiles:
        stack.up("postgres")
        wait_for("PostgreSQL", stack.database_answers)
        stack.pipe(*database, "psql", "--quiet", "--username=cove", "cove", given=sql)
    stack.up("migrate", "app")
    wait_for("a model", stack.served)
    assert facts(stack) == known
    assert stack.ask("/complete-list", LIST)["source"] == "model"


def test_an_upgrade_migrates_and_keeps_everything_and_the_old_image_says_why_it_cannot_follow(
    stack: Stack, tmp_path: Path
) -> None:
    known, newer = facts(stack), "localhost/cove-app:next"
    head = build_with_a_migration(newer, tmp_path)
    before = stack.process("app")
    stack.up("migrate", "app", COVE_APP_IMAGE=newer)
    comes_back(stack, before)
    image = podman("inspect", "--format", "{{.ImageName}}", stack.container("app"))
    assert image == newer
    assert facts(stack) == known
    old = ("run", "-T", "--rm", "--no-deps", "migrate")
    with pytest.raises(AssertionError, match=r"cannot be migrated: .*'next'"):
        stack.compose(*old)
    down = "from training.registry.database import *; downgrade(registry_url('/artifacts'), '{}')"
    stack.compose(*old, "python", "-c", down.format(head), COVE_APP_IMAGE=newer)
    stack.up("migrate", "app")
    wait_for("a model", stack.served)
    assert facts(stack) == known
