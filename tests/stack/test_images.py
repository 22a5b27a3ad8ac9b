"""The images by themselves: their size, their user, what they hold and what they can write."""

import pytest

from tests.stack.containers import APP_IMAGE, TRAINING_IMAGE, podman

pytestmark = pytest.mark.stack

HIDDEN = "-path /proc -o -path /sys -o -path /dev"
WRITABLE = f"find / -xdev \\( {HIDDEN} \\) -prune -o -writable ! -type l -print 2>/dev/null; true"
"""What the user of a container may write, outside what the kernel shows."""
PLACES = {APP_IMAGE: {"/artifacts"}, TRAINING_IMAGE: {"/artifacts", "/data"}}
FOR_ALL = {"/tmp", "/var/tmp", "/run/lock"}
"""What every Debian lets everybody write; in the stack the root file system is read-only."""
both = pytest.mark.parametrize("image", [APP_IMAGE, TRAINING_IMAGE])


def run(image: str, *command: str) -> str:
    return podman("run", "--rm", image, *command)


def test_the_servers_image_is_under_1_6_gigabytes() -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", APP_IMAGE)) < 1_600_000_000


@both
def test_no_process_of_an_image_is_root(image: str) -> None:
    assert podman("image", "inspect", "--format", "{{.User}}", image) == "10001:10001"
    assert run(image, "id", "--user") == "10001"


@both
def test_an_image_lets_its_user_write_its_volumes_alone(image: str) -> None:
    for place in PLACES[image]:
        assert run(image, "sh", "-c", f"touch {place}/new && cat {place}/new") == ""
    places = set(run(image, "sh", "-c", WRITABLE).split())
    volumes = set(run(image, "sh", "-c", f"ls -d {' '.join(PLACES[image])}").split())
    assert places - FOR_ALL <= volumes


def test_the_servers_image_holds_nothing_of_training() -> None:
    code = (
        "import importlib.util as u; print([n for n in "
        "'polars gensim matplotlib implicit scipy typer rich training.cli pip'.split() "
        "if u.find_spec(n)])"
    )
    assert run(APP_IMAGE, "python", "-c", code) == "[]"
    assert run(APP_IMAGE, "sh", "-c", "command -v cove || echo none") == "none"


def test_the_training_image_has_the_command_and_a_torch_for_the_cpu() -> None:
    assert run(TRAINING_IMAGE, "cove", "--version").startswith("cove ")
    code = "import faiss, torch; print(torch.version.cuda)"
    assert run(TRAINING_IMAGE, "python", "-c", code) == "None"
