"""Which model is served is changed over HTTP, and never to one that cannot be read."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.services import active_models
from app.settings import Settings
from tests.app.conftest import make_artifact, make_click_artifact
from tests.app.servers import wait_for
from tests.app.test_errors import check_problem
from training.registry.database import registry_url
from training.registry.queries import Registry

ADMIN = {"Authorization": "Bearer the-admin"}


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[TestClient, list[str]]]:
    """A server with two list models, and their ids, the active one first; it polls no registry."""
    make_artifact(tmp_path / "one", seed=1)
    make_artifact(tmp_path / "two", seed=2)
    settings = Settings(artifacts=tmp_path, admin_key="the-admin", poll_seconds=60)
    with TestClient(create_app(settings)) as client:
        found = client.get("/models").json()["models"]
        found.sort(key=lambda model: not model["active"])
        yield client, [model["id"] for model in found]


def served(client: TestClient) -> str:
    return client.post("/complete-list", json={"items": [1]}).json()["model"]


def place_of(folder: Path, model: str) -> Path:
    """The artifact of a model."""
    (place,) = (path.parent for path in folder.glob("*/manifest.json") if model in path.read_text())
    return place


def break_artifact(folder: Path, model: str, file: str) -> None:
    """Cut a file of the artifact of a model short."""
    place = place_of(folder, model)
    (place / file).write_bytes((place / file).read_bytes()[:-1])


@contextmanager
def served_while_broken(
    folder: Path, model: str, wait_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TestClient, Callable[[], object]]]:
    """A server whose registry names a model that cannot be read, and what makes that whole again;
    it is tried again after `wait_seconds`."""
    file = place_of(folder, model) / "weights.safetensors"
    weights = file.read_bytes()
    monkeypatch.setattr(active_models, "_FIRST_WAIT_SECONDS", wait_seconds)
    settings = Settings(artifacts=folder, admin_key="the-admin", poll_seconds=0.05)
    with TestClient(create_app(settings)) as client:
        break_artifact(folder, model, file.name)
        with Registry(registry_url(folder)) as registry:
            registry.activate(model)
        wait_for(lambda: client.get("/readyz").json().get("problems"), 20)
        yield client, lambda: file.write_bytes(weights)


def post(client: TestClient, path: str):
    return client.post(path, headers=ADMIN)


def test_activation_is_served_at_once_and_rollback_takes_it_back(changing) -> None:
    client, (first, second) = changing
    assert served(client) == first
    answer = post(client, f"/models/{second}/activate")
    assert (answer.status_code, answer.json()["id"], answer.json()["active"]) == (200, second, True)
    assert served(client) == second
    assert post(client, f"/models/{second}/activate").json()["id"] == second, "again is no change"
    assert post(client, "/models/rollback").json()["id"] == first
    assert served(client) == first
    detail = check_problem(post(client, "/models/rollback"), 409)["detail"]
    assert "no model was active before" in detail


def test_where_several_tasks_are_served_a_rollback_says_which_goes_back(tmp_path: Path) -> None:
    for make in (make_artifact, make_click_artifact):
        for seed in (1, 2):
            make(tmp_path / f"{make.__name__}-{seed}", seed=seed)
    settings = Settings(artifacts=tmp_path, admin_key="the-admin")
    with TestClient(create_app(settings)) as client:
        before = client.get("/readyz").json()["models"]
        for model in client.get("/models").json()["models"]:
            if not model["active"]:
                post(client, f"/models/{model['id']}/activate")
        after = client.get("/readyz").json()["models"]
        detail = check_problem(post(client, "/models/rollback"), 422, "task")["detail"]
        assert detail == "task: say which has to go back: list_completion, click_through"
        assert client.get("/readyz").json()["models"] == after
        post(client, "/models/rollback?task=click_through")
        expected = after | {"click_through": before["click_through"]}
        assert client.get("/readyz").json()["models"] == expected


def test_a_model_is_named_by_the_start_of_its_id_and_an_unknown_one_is_a_404(changing) -> None:
    client, models = changing
    second = models[1]
    assert post(client, f"/models/{second[:9]}/activate").json()["id"] == second
    check_problem(post(client, "/models/nobody/activate"), 404)
    both = f"is the start of several models: {', '.join(sorted(models))}"
    assert both in check_problem(post(client, f"/models/{second[:2]}/activate"), 404)["detail"]
    check_problem(post(client, "/models/..%2f../activate"), 404)
    check_problem(post(client, "/models/rollback?task=nothing"), 422, "task")
    check_problem(post(client, "/models/rollback?task=click_through"), 409)


def test_a_broken_model_never_replaces_a_good_one(changing, tmp_path: Path) -> None:
    client, (first, second) = changing
    break_artifact(tmp_path, second, "weights.safetensors")
    detail = check_problem(post(client, f"/models/{second}/activate"), 409)["detail"]
    assert "weights.safetensors is damaged" in detail
    assert served(client) == first
    active = {each["id"]: each["active"] for each in client.get("/models").json()["models"]}
    assert active == {first: True, second: False}


def test_an_artifact_that_came_later_is_found_when_it_is_activated(
    changing, tmp_path: Path
) -> None:
    client, _ = changing
    third = make_artifact(tmp_path / "three", seed=3)
    assert post(client, f"/models/{third}/activate").json()["id"] == third
    assert served(client) == third


def test_tasks_are_switched_apart(changing, tmp_path: Path) -> None:
    client, (first, _) = changing
    clicks = make_click_artifact(tmp_path / "clicks")
    assert post(client, f"/models/{clicks}/activate").json()["task"] == "click_through"
    assert client.get("/readyz").json()["models"] == {
        "list_completion": first, "click_through": clicks,
    }  # fmt: skip


def test_a_server_whose_active_model_broke_starts_with_the_one_before(
    changing, tmp_path: Path
) -> None:
    client, (first, second) = changing
    post(client, f"/models/{second}/activate")
    break_artifact(tmp_path, second, "codes.safetensors")
    with TestClient(create_app(Settings(artifacts=tmp_path))) as restarted:
        assert served(restarted) == first
        problems = restarted.get("/readyz").json()["problems"]
        assert "codes.safetensors is damaged" in problems["list_completion"]


def test_a_model_that_was_broken_is_served_when_it_is_whole_again(
    changing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (first, second) = changing
    with served_while_broken(tmp_path, second, 0.2, monkeypatch) as (client, mend):
        assert served(client) == first
        mend()
        wait_for(lambda: served(client) == second, 20)
        assert "problems" not in client.get("/readyz").json()


def test_an_activation_reads_at_once_what_could_not_be_read_before(
    changing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (_, second) = changing
    with served_while_broken(tmp_path, second, 600, monkeypatch) as (client, mend):
        mend()
        assert post(client, f"/models/{second}/activate").status_code == 200
        assert served(client) == second


def test_an_artifact_that_was_overwritten_is_not_served_under_the_old_ones_name(
    changing, tmp_path: Path
) -> None:
    client, (first, second) = changing
    post(client, f"/models/{second}/activate")
    place = place_of(tmp_path, second)
    shutil.rmtree(place)
    third = make_artifact(place, seed=3)
    assert served(client) == second, "a server has its files mapped"
    with TestClient(create_app(Settings(artifacts=tmp_path))) as restarted:
        assert served(restarted) == first
        (problem,) = restarted.get("/readyz").json()["problems"].values()
        assert f"the model {second} is gone: {place} now holds {third}" in problem
        check_problem(restarted.get(f"/models/{second}"), 503)


def test_at_a_first_start_a_damaged_artifact_is_passed_over(tmp_path: Path) -> None:
    good = make_artifact(tmp_path / "good", seed=1)
    bad = make_artifact(tmp_path / "newer", seed=2)
    break_artifact(tmp_path, bad, "weights.safetensors")
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        assert served(client) == good
        active = {each["id"]: each["active"] for each in client.get("/models").json()["models"]}
        assert active == {good: True, bad: False}


def test_a_server_without_its_registry_serves_the_newest_artifacts(tmp_path: Path) -> None:
    model = make_artifact(tmp_path / "one")
    (tmp_path / "registry.sqlite3").write_bytes(b"no database" * 100)
    settings = Settings(artifacts=tmp_path, admin_key="the-admin", poll_seconds=0.05)
    with TestClient(create_app(settings)) as client:
        assert served(client) == model
        ready = client.get("/readyz").json()
        assert ready["models"] == {"list_completion": model}
        assert "cannot be read" in ready["problems"]["registry"]
        for response in (client.get("/models"), post(client, f"/models/{model}/activate")):
            assert "registry" in check_problem(response, 503)["detail"]
